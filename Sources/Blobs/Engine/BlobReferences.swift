package import BlobClient
import NIOCore
package import ResourceModel

/// Reads and writes blobs that somebody names: by connection string and location, or by address.
///
/// An account's name with one of its keys means our own store, whatever endpoint stands beside it.
package struct BlobReferences: Sendable {
    private let store: BlobStore
    private let accounts: StorageAccounts
    private let remote: RemoteBlobs

    package init(store: BlobStore, accounts: StorageAccounts, remote: RemoteBlobs) {
        self.store = store
        self.accounts = accounts
        self.remote = remote
    }

    /// A blob as the contracts name one.
    package enum Reference: Sendable {
        /// `RelativeLocation`: `container/blob`, with or without a leading slash.
        case connection(ConnectionString, relative: String)
        case address(String)

        /// Reads `{"ConnectionString", "RelativeLocation"}` or `{"Url"}`.
        package init(json: JSONValue) throws(APIError) {
            if let url = json["Url"]?.string {
                self = .address(url)
            } else if let text = json["ConnectionString"]?.string, let relative = json["RelativeLocation"]?.string {
                self = .connection(try ConnectionString(text), relative: relative)
            } else {
                throw .validation("Url", "A blob is named by Url, or by ConnectionString and RelativeLocation.")
            }
        }
    }

    private enum Target {
        case own(BlobPlace)
        case remote(BlobLocation)
    }

    private func target(_ reference: Reference) throws(APIError) -> Target {
        switch reference {
        case .address(let text): return .remote(try BlobLocation(address: text))
        case .connection(let connection, let relative):
            let parts = relative.split(separator: "/", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                throw .validation("RelativeLocation", "The location must be container/blob.")
            }
            if let key = connection.key, accounts.owns(connection.account, key: key) {
                return .own(BlobPlace(account: connection.account, container: parts[0], name: parts[1]))
            }
            return .remote(BlobLocation(connection, container: parts[0], blob: parts[1]))
        }
    }

    /// - Throws: `APIError` that says what the other side answered.
    package func read(_ reference: Reference, bytesMax: Int) async throws -> [UInt8] {
        do {
            switch try target(reference) {
            case .own(let place): return try await store.bytes(place, max: bytesMax)
            case .remote(let location):
                var bytes: [UInt8] = []
                try await remote.download(location, bytesMax: Int64(bytesMax)) { bytes += $0.readableBytesView }
                return bytes
            }
        } catch { throw Self.error(error) }
    }

    package func write(_ bytes: [UInt8], to reference: Reference, contentType: String) async throws {
        do {
            switch try target(reference) {
            case .own(let place): try await store.write(bytes, to: place, contentType: contentType)
            case .remote(let location):
                var place = 0
                try await remote.upload(location, contentType: contentType) {
                    guard place < bytes.count else { return nil }
                    let end = min(place + RemoteBlobs.pieceBytes, bytes.count)
                    defer { place = end }
                    return ByteBuffer(bytes: bytes[place..<end])
                }
            }
        } catch { throw Self.error(error) }
    }

    private static func error(_ error: any Error) -> any Error {
        switch error {
        case let error as BlobError:
            APIError(status: error.status == 404 ? 404 : 400, code: error.code, message: error.message)
        case let error as RemoteBlobs.Refusal:
            APIError(status: error.status == 404 ? 404 : 400, code: error.code, message: error.description)
        case let error as APIError: error
        case let error as CancellationError: error
        default: APIError.badRequest("The address could not be reached.")
        }
    }
}
