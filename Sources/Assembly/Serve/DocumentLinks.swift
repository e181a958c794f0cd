import BlobClient
import NIOHTTP1
import ResourceModel

/// Fetches documents that somebody named by their address, from hosts that this installation may read.
struct DocumentLinks: Sendable {
    let remote: RemoteBlobs

    /// - Throws: `APIError` naming the property `value`, without what opened the address.
    func fetch(_ address: String, _ bytesMax: Int) async throws(APIError) -> String {
        let location: BlobLocation
        do {
            location = try BlobLocation(address: address)
            try remote.checkAllowed(location)
        } catch { throw .validation("value", error.details.first?.message ?? error.message) }
        let answer: RemoteBlobs.Answer
        do { answer = try await remote.call(.GET, location) } catch {
            throw .validation("value", "The document at \(location.shown) could not be fetched.")
        }
        guard answer.status == 200 else {
            throw .validation("value", "The document at \(location.shown) was answered with \(answer.status).")
        }
        guard answer.body.count <= bytesMax, let text = String(validating: answer.body, as: UTF8.self) else {
            throw .validation("value", "The document at \(location.shown) is no UTF-8 text of up to \(bytesMax) bytes.")
        }
        return text
    }
}
