import Foundation
import HTTPTypes
package import Hummingbird
import NIOCore
package import ResourceModel

extension Response {
    /// A JSON answer.
    package static func json(_ value: JSONValue, status: Int = 200, etag: String? = nil) -> Response {
        .bytes(value.bytes, contentType: "application/json; charset=utf-8", status: status, etag: etag)
    }

    package static func bytes(
        _ bytes: [UInt8],
        contentType: String,
        status: Int = 200,
        etag: String? = nil
    ) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = contentType
        if let etag { headers[.eTag] = "\"\(etag)\"" }
        return Response(
            status: HTTPResponse.Status(code: status),
            headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }

    /// An answer without a body.
    package static func empty(status: Int, etag: String? = nil) -> Response {
        var headers = HTTPFields()
        if let etag { headers[.eTag] = "\"\(etag)\"" }
        return Response(status: HTTPResponse.Status(code: status), headers: headers)
    }
}

extension Request {
    /// The body as bytes.
    ///
    /// - Throws: `APIError` 413 above the bound.
    package func bodyBytes(max: Int) async throws -> [UInt8] {
        let tooLarge = APIError(
            status: 413,
            code: "RequestEntityTooLarge",
            message: "The body is longer than \(max) bytes."
        )
        // One that says so itself is not waited for.
        if let length = headers[.contentLength].flatMap({ Int($0) }), length > max { throw tooLarge }
        do {
            let buffer = try await body.collect(upTo: max)
            return Array(buffer.readableBytesView)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
    }

    /// The body as a JSON object.
    package func jsonObject(max: Int = ServingContext.bodyBytesMax) async throws -> JSONObject {
        let bytes = try await bodyBytes(max: max)
        guard !bytes.isEmpty else { return JSONObject() }
        do {
            guard let object = try JSONValue(parsing: bytes).object else {
                throw APIError.badRequest("The body must be a JSON object.")
            }
            return object
        } catch let error as JSONError {
            throw APIError.badRequest("The body is not valid JSON: \(error.description)")
        }
    }

    /// A query parameter by its name without case, percent-decoded.
    package func query(_ name: String) -> String? {
        for item in uri.queryParameters where item.key.lowercased() == name.lowercased() {
            return String(item.value)
        }
        return nil
    }

    /// The etags of If-Match, or `*`; nil without the field.
    package var ifMatch: String? {
        headers[.ifMatch].map { $0.trimmingCharacters(in: .whitespaces) }
    }

    /// The token of `Authorization: Bearer …`, whatever the case of the scheme and however many blanks follow it.
    package var bearerToken: String? {
        guard let value = headers[.authorization] else { return nil }
        guard value.lowercased().hasPrefix("bearer ") else { return nil }
        return value.dropFirst("bearer ".count).trimmingCharacters(in: .whitespaces)
    }
}

/// The text of an etag without weak marker and quotes.
package func bareETag(_ text: String) -> String {
    var text = Substring(text)
    if text.hasPrefix("W/") { text = text.dropFirst(2) }
    if text.count >= 2, text.first == "\"", text.last == "\"" { text = text.dropFirst().dropLast() }
    return String(text)
}
