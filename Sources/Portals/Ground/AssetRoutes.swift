package import HTTPServing
import HTTPTypes
package import Hummingbird
import NIOCore
import ResourceModel

/// Serves styles, scripts, icons and images, each at an address that names its content.
package struct AssetRoutes: Sendable {
    /// A year, the longest that caches are asked for (RFC 9111 names no bound; this is what browsers keep).
    private static let cacheControl = "public, max-age=31536000, immutable"
    private static let types = [
        "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml",
    ]

    private let assets: Assets

    package init(assets: Assets = .compiled) { self.assets = assets }

    package func addRoutes(to router: Router<ServingContext>) {
        router.get("/assets/:hash/**") { request, context in try answer(request, context) }
    }

    private func answer(_ request: Request, _ context: ServingContext) throws -> Response {
        let words = request.uri.path.split(separator: "/").dropFirst()
        let name = words.dropFirst().joined(separator: "/")
        // Templates and words are compiled in too, and have no type: they are nobody's to fetch.
        guard let hash = words.first, let asset = assets[name], asset.hash == hash,
            let type = Self.types[String(name.split(separator: ".").last ?? "")]
        else { throw APIError.notFound("The asset is not known; pages name the addresses of theirs.") }
        let isPacked = asset.isGzipped && Self.acceptsGzip(request.headers[.acceptEncoding])
        let tag = "\"\(asset.hash)\(isPacked ? "-gzip" : "")\""
        var headers: HTTPFields = [
            .contentType: type, .cacheControl: Self.cacheControl, .eTag: tag, .vary: "Accept-Encoding",
            .xContentTypeOptions: "nosniff",
        ]
        // An icon that is opened as a page of its own runs nothing either.
        headers[.contentSecurityPolicy] = "default-src 'none'; style-src 'self'; sandbox"
        if let known = request.headers[.ifNoneMatch], known == "*" || known.contains(tag) {
            return Response(status: .notModified, headers: headers)
        }
        if isPacked { headers[.contentEncoding] = "gzip" }
        let bytes = isPacked ? asset.bytes : asset.plainBytes
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// Whether `Accept-Encoding` lets gzip through (RFC 9110, 12.5.3).
    static func acceptsGzip(_ field: String?) -> Bool {
        let accepted = QualityList(field ?? "")
        return (accepted.quality(of: "gzip") ?? accepted.quality(of: "*") ?? 0) > 0
    }
}
