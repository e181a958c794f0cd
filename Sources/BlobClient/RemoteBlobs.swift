import AsyncHTTPClient
import Foundation
package import NIOCore
package import NIOHTTP1
package import ResourceModel

/// Speaks to storage accounts elsewhere: block upload and ranged download, each piece tried again where that may help.
///
/// Redirects are not followed: they would lead past the allowed hosts.
package final class RemoteBlobs: Sendable {
    /// Bytes of one block and of one range.
    package static let pieceBytes = 4 << 20
    /// Tries of one piece, with a pause that doubles between them.
    private static let triesMax = 5
    private static let firstPause = Duration.milliseconds(200)
    private static let timeout = TimeAmount.seconds(60)
    private static let documentBytesMax = 64 << 20
    private static let version = "2021-12-02"

    private let client: HTTPClient
    private let hosts: AllowedHosts

    package init(hosts: AllowedHosts) {
        self.hosts = hosts
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: .seconds(10), read: .seconds(60))
        client = HTTPClient(configuration: configuration)
    }

    package func shutdown() async { try? await client.shutdown() }

    /// What the other side answered where it should have done something.
    package struct Refusal: Error, CustomStringConvertible {
        package let status: Int
        package let code: String
        package let description: String
    }

    package struct Answer: Sendable {
        package let status: Int
        package let headers: HTTPHeaders
        package let body: [UInt8]
    }

    /// - Throws: `APIError` naming the setting that allows hosts.
    package func checkAllowed(_ location: BlobLocation) throws(APIError) { try hosts.check(location) }

    // MARK: - Single calls

    /// Makes a call and takes any answer; tried again where the server or the way to it failed.
    package func call(
        _ method: HTTPMethod,
        _ location: BlobLocation,
        query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = [],
        body: ByteBuffer? = nil
    ) async throws -> Answer {
        try hosts.check(location)
        var pause = Self.firstPause
        for attempt in 1... {
            do {
                let answer = try await once(method, location, query, headers, body)
                guard answer.status >= 500 || answer.status == 408 || answer.status == 429, attempt < Self.triesMax,
                    answer.status != 501
                else { return answer }
            } catch {
                // The way there failed; what is wrong for good fails again below.
                guard attempt < Self.triesMax, !Task.isCancelled else { throw error }
            }
            try await Task.sleep(for: pause)
            pause *= 2
        }
        throw CancellationError()
    }

    /// Makes a call that must succeed.
    @discardableResult
    package func expect(
        _ method: HTTPMethod,
        _ location: BlobLocation,
        query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = [],
        body: ByteBuffer? = nil
    ) async throws -> Answer {
        let answer = try await call(method, location, query: query, headers: headers, body: body)
        guard answer.status < 300 else { throw Self.refusal(answer, location) }
        return answer
    }

    package static func refusal(_ answer: Answer, _ location: BlobLocation) -> Refusal {
        let document = try? XMLElement(parsing: answer.body)
        let code = answer.headers.first(name: "x-ms-error-code") ?? document?.text("Code") ?? "Status\(answer.status)"
        let message =
            document?.text("Message")?.split(separator: "\n").first.map(String.init)
            ?? "The server answered \(answer.status)."
        return Refusal(
            status: answer.status,
            code: code,
            description: "\(location.shown): \(message) [\(answer.status) \(code)]"
        )
    }

    private func once(
        _ method: HTTPMethod,
        _ location: BlobLocation,
        _ query: [(name: String, value: String)],
        _ headers: [(name: String, value: String)],
        _ body: ByteBuffer?
    ) async throws -> Answer {
        let request = signed(method, location, query, headers, body)
        let response = try await client.execute(request, timeout: Self.timeout)
        let bytes = try await response.body.collect(upTo: Self.documentBytesMax)
        return Answer(
            status: Int(response.status.code),
            headers: response.headers,
            body: Array(bytes.readableBytesView)
        )
    }

    private func signed(
        _ method: HTTPMethod,
        _ location: BlobLocation,
        _ query: [(name: String, value: String)],
        _ headers: [(name: String, value: String)],
        _ body: ByteBuffer?
    ) -> HTTPClientRequest {
        var fields = headers
        fields.append(("x-ms-version", Self.version))
        fields.append(("x-ms-date", Self.date()))
        var text = query.map { "\(Self.encoded($0.name))=\(Self.encoded($0.value))" }.joined(separator: "&")
        switch location.credential {
        case .key(let account, let key):
            let signable = SignableRequest(
                method: method.rawValue,
                path: URLComponents(string: location.url)?.percentEncodedPath ?? "/",
                query: query,
                headers: (fields + [("content-length", String(body?.readableBytes ?? 0))]).map {
                    ($0.0.lowercased(), $0.1)
                }
            )
            let signature = SharedKey.signature(SharedKey.stringToSign(signable, account: account), key: key)
            fields.append(("Authorization", "SharedKey \(account):\(signature)"))
        case .signature(let signature): text += (text.isEmpty ? "" : "&") + signature
        case .none: break
        }
        var request = HTTPClientRequest(url: location.url + (text.isEmpty ? "" : "?\(text)"))
        request.method = method
        for (name, value) in fields { request.headers.add(name: name, value: value) }
        if let body {
            request.body = .bytes(body)
        } else if method == .PUT || method == .POST {
            request.headers.replaceOrAdd(name: "Content-Length", value: "0")
        }
        return request
    }

    package static func encoded(_ text: String) -> String {
        var allowed = CharacterSet.alphanumerics
        allowed.insert(charactersIn: "-._~")
        return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? text
    }

    private static func date() -> String {
        var time = tm()
        var now = time_t(Date().timeIntervalSince1970)
        gmtime_r(&now, &time)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let two = { (value: Int32) in value < 10 ? "0\(value)" : "\(value)" }
        return
            "\(days[Int(time.tm_wday)]), \(two(time.tm_mday)) \(months[Int(time.tm_mon)]) \(1900 + Int(time.tm_year)) "
            + "\(two(time.tm_hour)):\(two(time.tm_min)):\(two(time.tm_sec)) GMT"
    }

    // MARK: - Whole blobs

    /// Reads a blob, or any address, range by range where the other side knows ranges.
    ///
    /// - Parameters:
    ///   - range: which bytes; all where it is nil.
    ///   - bytesMax: more is refused before it is read where the length is known, else when it is passed.
    ///   - conditions: fields that the first call carries; what they ask for holds to the end.
    ///   - begin: is told the length, where it is known, and the content type.
    ///   - take: gets the bytes in order.
    package func download(
        _ location: BlobLocation,
        range: Range<Int64>? = nil,
        bytesMax: Int64 = .max,
        conditions: [(name: String, value: String)] = [],
        begin: (Int64?, String?) async throws -> Void = { _, _ in },
        take: (ByteBuffer) async throws -> Void
    ) async throws {
        let first = range?.lowerBound ?? 0
        let end = range?.upperBound ?? .max
        var offset = first
        var etag: String?
        while true {
            let last = min(end, offset + Int64(Self.pieceBytes)) - 1
            var headers = [("x-ms-range", "bytes=\(offset)-\(last)")]
            headers.append(("Range", headers[0].1))
            // A blob that changes between two ranges must not be mixed with what it was.
            if let etag { headers.append(("If-Match", etag)) } else { headers += conditions }
            let answer = try await call(.GET, location, headers: headers)
            if answer.status == 416, offset == 0, range == nil { return try await begin(0, nil) }
            guard answer.status == 200 || answer.status == 206 else { throw Self.refusal(answer, location) }
            let total = answer.headers.first(name: "Content-Range")?.split(separator: "/").last.flatMap { Int64($0) }
            var body = answer.body[...]
            if answer.status == 200, let range {
                // The other side knows no ranges: of the whole that it sent, the range is cut here.
                let whole = Int64(body.count)
                body = body[Int(min(range.lowerBound, whole))..<Int(min(range.upperBound, whole))]
            }
            let whole = answer.status == 206 ? total : Int64(answer.body.count)
            let length = whole.map { max(0, min($0, end) - first) }
            guard (length ?? 0) <= bytesMax, offset - first + Int64(body.count) <= bytesMax else {
                throw APIError.badRequest("\(location.shown) is longer than \(bytesMax) bytes.")
            }
            if offset == first {
                etag = answer.headers.first(name: "ETag")
                try await begin(length, answer.headers.first(name: "Content-Type"))
            }
            if !body.isEmpty { try await take(ByteBuffer(bytes: body)) }
            offset += Int64(body.count)
            guard answer.status == 206, let total, offset < min(total, end), !body.isEmpty else { return }
        }
    }

    /// Writes a block blob piece by piece; nothing of it is seen before the last one is there.
    ///
    /// - Parameter next: gives the next bytes, at most `pieceBytes`; nil at the end.
    package func upload(
        _ location: BlobLocation,
        contentType: String = "application/octet-stream",
        next: () async throws -> ByteBuffer?
    ) async throws {
        var ids: [String] = []
        while let piece = try await next() {
            let number = String(ids.count)
            let id = Data((String(repeating: "0", count: 8 - number.count) + number).utf8).base64EncodedString()
            try await expect(.PUT, location, query: [("comp", "block"), ("blockid", id)], body: piece)
            ids.append(id)
        }
        try await commit(location, blocks: ids, headers: [("x-ms-blob-content-type", contentType)])
    }

    /// Makes a blob of blocks that are there.
    func commit(_ location: BlobLocation, blocks: [String], headers: [(name: String, value: String)]) async throws {
        var text = XMLText()
        text.open("BlockList")
        for id in blocks { text.leaf("Latest", id) }
        text.close("BlockList")
        try await expect(
            .PUT,
            location,
            query: [("comp", "blocklist")],
            headers: headers,
            body: ByteBuffer(string: text.text)
        )
    }

    /// Reads a paged listing to its end.
    ///
    /// - Returns: the elements of that name below the listing's list.
    package func list(
        _ location: BlobLocation,
        query: [(name: String, value: String)],
        list: String,
        element: String
    ) async throws -> [XMLElement] {
        var found: [XMLElement] = []
        var marker = ""
        repeat {
            let page = marker.isEmpty ? query : query + [("marker", marker)]
            let answer = try await expect(.GET, location, query: page)
            let document = try XMLElement(parsing: answer.body)
            found += document[list]?.children.filter { $0.name == element } ?? []
            marker = document.text("NextMarker") ?? ""
        } while !marker.isEmpty
        return found
    }
}
