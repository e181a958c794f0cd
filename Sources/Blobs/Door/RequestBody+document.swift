import HTTPWire
import NIOCore

extension RequestBody {
    /// The whole body of a small document.
    func collect(max: Int) async throws -> [UInt8] {
        if let length, length > max { throw BlobError.bodyTooLarge }
        var bytes: [UInt8] = []
        while true {
            let pieces = try await next()
            if pieces.isEmpty { return bytes }
            for piece in pieces { bytes += piece.readableBytesView }
            guard bytes.count <= max else { throw BlobError.bodyTooLarge }
        }
    }
}
