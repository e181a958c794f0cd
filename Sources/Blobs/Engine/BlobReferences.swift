package import BlobClient
import Foundation
import NIOCore
package import ResourceModel

/// Reads and writes blobs that somebody names: by connection string and location, or by address.
///
/// An account's name with one of its keys means our own store, whatever endpoint stands beside it.
package struct BlobReferences: Sendable {
    let store: BlobStore
    let accounts: StorageAccounts
    let remote: RemoteBlobs
    let address: @Sendable () -> String

    /// - Parameter address: of our own store, without a closing slash.
    package init(
        store: BlobStore,
        accounts: StorageAccounts,
        remote: RemoteBlobs,
        address: @Sendable @escaping () -> String
    ) {
        self.store = store
        self.accounts = accounts
        self.remote = remote
        self.address = address
    }

    /// A blob as the contracts name one.
    package enum Reference: Sendable {
        /// `RelativeLocation`: `container/blob`, with or without a leading slash.
        case connection(ConnectionString, relative: String)
        /// The parts of an address; together they are the whole of it.
        case address(base: String, relative: String, signature: String)

        /// Reads `{"ConnectionString", "RelativeLocation"}`, `{"BaseLocation", "RelativeLocation", "SasBlobToken"}` or `{"Url"}`.
        package init(json: JSONValue) throws(APIError) {
            if let url = json["Url"]?.string {
                self = .address(base: url, relative: "", signature: "")
            } else if let text = json["ConnectionString"]?.string, let relative = json["RelativeLocation"]?.string {
                self = .connection(try ConnectionString(text), relative: relative)
            } else if let base = json["BaseLocation"]?.string {
                self = .address(
                    base: base,
                    relative: json["RelativeLocation"]?.string ?? "",
                    signature: json["SasBlobToken"]?.string ?? ""
                )
            } else {
                throw .validation("Url", "A blob is named by Url, or by ConnectionString and RelativeLocation.")
            }
        }
    }

    /// A blob that was found to be ours or another's.
    package struct Target: Sendable {
        enum Kind: Sendable {
            case own(BlobPlace)
            /// - Parameters:
            ///   - base: what stands before `relative` in the address.
            ///   - isSigned: whether the address has its own signature.
            case remote(BlobLocation, base: String, relative: String, isSigned: Bool)
        }

        let kind: Kind

        package init(_ place: BlobPlace) { kind = .own(place) }
        init(kind: Kind) { self.kind = kind }

        /// Where it is in our own store; nil for another's.
        package var ownPlace: BlobPlace? {
            guard case .own(let place) = kind else { return nil }
            return place
        }

        /// What it is called in messages: never with what opens it.
        package var shown: String {
            switch kind {
            case .own(let place): "\(place.container)/\(place.name)"
            case .remote(let location, _, _, _): location.shown
            }
        }

        /// The same blob under another name beside it.
        package func sibling(suffix: String) -> Target {
            switch kind {
            case .own(let place):
                Target(BlobPlace(account: place.account, container: place.container, name: place.name + suffix))
            case .remote(let location, let base, let relative, let isSigned):
                Target(
                    kind: .remote(
                        BlobLocation(url: location.url + suffix, credential: location.credential),
                        base: base,
                        relative: relative + suffix,
                        isSigned: isSigned
                    )
                )
            }
        }
    }

    /// - Throws: `APIError` naming the part that is wrong.
    package func target(_ reference: Reference) throws(APIError) -> Target {
        switch reference {
        case .address(let base, let relative, let signature):
            let location = try BlobLocation(address: base + relative + signature)
            return Target(kind: .remote(location, base: base, relative: relative, isSigned: true))
        case .connection(let connection, let relative):
            let parts = relative.split(separator: "/", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                throw .validation("RelativeLocation", "The location must be container/blob.")
            }
            if let key = connection.key, accounts.owns(connection.account, key: key) {
                return Target(BlobPlace(account: connection.account, container: parts[0], name: parts[1]))
            }
            guard connection.key == nil || accounts.account(connection.account) == nil else {
                throw .validation("AccountKey", "The AccountKey is none of the account \(connection.account).")
            }
            let location = BlobLocation(connection, container: parts[0], blob: parts[1])
            return Target(
                kind: .remote(
                    location,
                    base: connection.endpoint + "/",
                    relative: "\(BlobLocation.encoded(parts[0]))/\(BlobLocation.encoded(parts[1]))",
                    isSigned: connection.key == nil
                )
            )
        }
    }

    /// Whether a container may have the name.
    package static func isValid(container name: String) -> Bool { (try? BlobNames.check(container: name)) != nil }

    /// Whether a blob may have the name.
    package static func isValid(blob name: String) -> Bool { (try? BlobNames.check(blob: name)) != nil }

    /// When a shared access signature ends, in seconds since 1970; nil where it does not say.
    package static func expiry(signature: String) -> Double? {
        URLComponents(string: signature.hasPrefix("?") ? signature : "?" + signature)?.queryItems?
            .first { $0.name == "se" }?.value.flatMap(BlobTime.parse(iso:))
    }

    // MARK: - Whole blobs

    /// - Throws: `APIError` that says what the other side answered.
    package func read(_ reference: Reference, bytesMax: Int) async throws -> [UInt8] {
        do {
            switch try target(reference).kind {
            case .own(let place): return try await store.bytes(place, max: bytesMax)
            case .remote(let location, _, _, _):
                var bytes: [UInt8] = []
                try await remote.download(location, bytesMax: Int64(bytesMax)) { bytes += $0.readableBytesView }
                return bytes
            }
        } catch { throw Self.error(error) }
    }

    package func write(_ bytes: [UInt8], to reference: Reference, contentType: String) async throws {
        do {
            switch try target(reference).kind {
            case .own(let place): try await store.write(bytes, to: place, contentType: contentType)
            case .remote(let location, _, _, _):
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

    static func error(_ error: any Error) -> any Error {
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
