import Foundation
import HTTPWire
import NIOCore
import ResourceModel

extension BlobDoor {
    /// Parts of one batch, and bytes of its body, as the service bounds them.
    private static let partsMax = 256
    private static let batchBytesMax = 4 << 20

    /// Blob Batch: several deletes or tier changes, each with an authorization and an answer of its own.
    func batch(_ request: BlobRequest, _ body: RequestBody) async throws(BlobError) -> BlobReply {
        _ = try await authorizer.authorize(
            request,
            request.container.isEmpty ? .service(BlobAuthorizer.anyLetter) : .blobs(BlobAuthorizer.anyLetter)
        )
        let type = request.header("content-type") ?? ""
        guard type.lowercased().hasPrefix("multipart/mixed"), let mark = type.range(of: "boundary=") else {
            throw .invalidHeader("Content-Type", type, "a batch is multipart/mixed with a boundary.")
        }
        let rest = type[mark.upperBound...].split(separator: ";").first ?? ""
        let boundary = rest.trimmingCharacters(in: CharacterSet(charactersIn: "\" "))
        guard !boundary.isEmpty else {
            throw .invalidHeader("Content-Type", type, "a batch is multipart/mixed with a boundary.")
        }
        let bytes = try await bytes(request, body)
        guard bytes.count <= Self.batchBytesMax else { throw .bodyTooLarge }
        let text = String(decoding: bytes, as: UTF8.self).replacingOccurrences(of: "\r\n", with: "\n")
        var parts = text.components(separatedBy: "--\(boundary)").dropFirst().map { $0 }
        guard let last = parts.popLast(), last.hasPrefix("--"), !parts.isEmpty else {
            throw .invalidInput("the batch has no parts, or no closing boundary.")
        }
        guard parts.count <= Self.partsMax else { throw .invalidInput("a batch has at most \(Self.partsMax) parts.") }
        let answerBoundary = "batchresponse_\(Identifier.guid())"
        var answer = ""
        for part in parts {
            answer += "--\(answerBoundary)\r\nContent-Type: application/http\r\n"
            answer += await answerPart(request, part)
        }
        answer += "--\(answerBoundary)--\r\n"
        return BlobReply(
            202,
            [],
            .bytes(Array(answer.utf8), contentType: "multipart/mixed; boundary=\(answerBoundary)")
        )
    }

    private func answerPart(_ request: BlobRequest, _ part: String) async -> String {
        // The part's own head, an empty line, then a request with its fields.
        let halves = part.components(separatedBy: "\n\n")
        let id = halves[0].split(separator: "\n").first { $0.lowercased().hasPrefix("content-id:") }?
            .dropFirst("content-id:".count).trimmingCharacters(in: .whitespaces)
        let lines = halves.dropFirst().first?.split(separator: "\n").map(String.init) ?? []
        let requestID = Identifier.guid()
        var reply: BlobReply
        var echo = [(name: "x-ms-version", value: request.version)]
        do throws(BlobError) {
            let words = lines.first?.split(separator: " ").map(String.init) ?? []
            guard words.count >= 2 else { throw .invalidInput("a part holds no request.") }
            let fields = lines.dropFirst().compactMap { line -> (name: String, value: String)? in
                guard let colon = line.firstIndex(of: ":") else { return nil }
                return (
                    String(line[..<colon]).trimmingCharacters(in: .whitespaces),
                    line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
                )
            }
            var all = fields
            for name in ["host", "x-ms-version"] where !fields.contains(where: { $0.name.lowercased() == name }) {
                // The version is not part of what a part signs where it does not name one.
                if name == "host", let value = request.header(name) { all.append((name, value)) }
            }
            let inside = BlobRequest(
                method: words[0],
                target: words[1],
                fields: all,
                clientAddress: request.clientAddress,
                isSecure: request.isSecure,
                requestID: requestID,
                defaultVersion: request.version,
                knowsAccount: { accounts.account($0) != nil }
            )
            if let problem = inside.problem { throw problem }
            echo = inside.echo
            guard inside.account == request.account, request.container.isEmpty || inside.container == request.container
            else {
                throw .invalidInput("a part names another account or container than the batch.")
            }
            switch (inside.method, inside.component) {
            case ("DELETE", ""):
                try checkSnapshot(inside)
                _ = try await authorizer.authorize(inside, .object("d"))
                try await deleteBlob(inside)
                reply = BlobReply(202, [("x-ms-delete-type-permanent", "true")])
            case ("PUT", "tier"):
                try checkSnapshot(inside)
                _ = try await authorizer.authorize(inside, .object("w"))
                reply = try await setTier(inside)
            default: throw .invalidInput("a batch holds deletes and tier changes.")
            }
        } catch {
            reply = BlobReply(error, (method: lines.first ?? "", id: requestID))
        }
        reply.fields += echo + [("x-ms-request-id", requestID)]
        var text = id.map { "Content-ID: \($0)\r\n" } ?? ""
        text += "\r\n" + String(buffer: reply.head(closes: false))
        if case .bytes(let body, _) = reply.body { text += String(decoding: body, as: UTF8.self) + "\r\n" }
        return text
    }
}
