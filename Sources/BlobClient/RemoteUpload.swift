import Crypto
import Foundation
package import NIOCore
import NIOHTTP1
import ResourceModel

/// A block blob on its way to an account elsewhere, by whoever does the work of a token.
///
/// Ids of blocks are the token, a number and a hash of the bytes, so that a successor after a crash finds the blocks that are
/// there already; the committed blob carries the token in its metadata, so that it finds the whole as well. Used by one task.
package final class RemoteUpload {
    /// The names of the metadata that hold the token and the note.
    private static let tokenName = "x-ms-meta-gatehousejob"
    private static let noteName = "x-ms-meta-gatehousenote"
    /// Blocks of a blob (the service's own bound).
    private static let blocksMax = 50_000
    /// Digits of the hash in an id: with token and number 64 bytes at most, as the service demands.
    private static let hashDigits = 20

    private let blobs: RemoteBlobs
    private let location: BlobLocation
    private let token: String
    private let contentType: String
    private var known: Set<String> = []
    private var ids: [String] = []
    private var waiting = ByteBuffer()
    /// The whole blob was committed under this token before.
    package private(set) var isCommitted = false
    /// What was noted with it.
    package private(set) var note: String?

    /// - Parameter token: 32 hexadecimal digits.
    package init(_ blobs: RemoteBlobs, _ location: BlobLocation, token: String, contentType: String) {
        self.blobs = blobs
        self.location = location
        self.token = token
        self.contentType = contentType
    }

    /// Looks for what an earlier holder of the token left; a signature that may not read finds nothing.
    package func resume() async throws {
        let head = try await blobs.call(.HEAD, location)
        if head.status == 200, head.headers.first(name: Self.tokenName) == token {
            isCommitted = true
            note = head.headers.first(name: Self.noteName)
            return
        }
        let query = [(name: "comp", value: "blocklist"), (name: "blocklisttype", value: "uncommitted")]
        let answer = try await blobs.call(.GET, location, query: query)
        guard answer.status == 200, let document = try? XMLElement(parsing: answer.body) else { return }
        known = Set(document["UncommittedBlocks"]?.children.compactMap { $0.text("Name") } ?? [])
    }

    package func append(_ bytes: ByteBuffer) async throws {
        guard !isCommitted else { return }
        var bytes = bytes
        while bytes.readableBytes > 0 {
            let room = RemoteBlobs.pieceBytes - waiting.readableBytes
            if var part = bytes.readSlice(length: min(room, bytes.readableBytes)) { waiting.writeBuffer(&part) }
            if waiting.readableBytes == RemoteBlobs.pieceBytes { try await send() }
        }
    }

    private func send() async throws {
        guard ids.count < Self.blocksMax else {
            throw APIError.badRequest("\(location.shown) would have more than \(Self.blocksMax) blocks.")
        }
        let number = String(ids.count)
        let digest = Identifier.hex(waiting.withUnsafeReadableBytes { SHA256.hash(data: $0) }).prefix(Self.hashDigits)
        let text = "\(token)-\(String(repeating: "0", count: 5 - number.count))\(number)-\(digest)"
        let id = Data(text.utf8).base64EncodedString()
        if !known.contains(id) {
            try await blobs.expect(.PUT, location, query: [("comp", "block"), ("blockid", id)], body: waiting)
        }
        ids.append(id)
        waiting = ByteBuffer()
    }

    /// Makes the blob of its blocks; nothing of it was seen before.
    ///
    /// - Parameter note: a word that a successor finds.
    package func commit(note: String) async throws {
        guard !isCommitted else { return }
        if waiting.readableBytes > 0 { try await send() }
        try await blobs.commit(
            location,
            blocks: ids,
            headers: [("x-ms-blob-content-type", contentType), (Self.tokenName, token), (Self.noteName, note)]
        )
        isCommitted = true
    }
}
