import Foundation
import HTTPServing
import Hummingbird
import ResourceModel

/// Tracing through the gateway resource `managed` (contracts/api-management.md 2.4): a token for calls, and what they did.
package struct TraceActions: Sendable {
    /// Seconds that a token may be good for: the contract's bound.
    private static let secondsMax: Int64 = 3600

    private let makeToken: @Sendable (_ api: String, _ expires: Int64) -> String
    private let findTrace: @Sendable (_ id: String) -> String?

    /// - Parameters:
    ///   - makeToken: for an API in lower case, until seconds since 1970.
    ///   - findTrace: the trace of an id as JSON.
    package init(
        makeToken: @Sendable @escaping (_ api: String, _ expires: Int64) -> String,
        findTrace: @Sendable @escaping (_ id: String) -> String?
    ) {
        self.makeToken = makeToken
        self.findTrace = findTrace
    }

    /// - Parameter exists: whether there is an API of that id.
    func credentials(_ body: JSONObject, exists: (ResourceID) async throws -> Bool) async throws -> Response {
        let purposes = body["purposes"]?.array?.compactMap(\.string) ?? []
        guard purposes == ["tracing"] else {
            throw APIError.validation("purposes", "The purposes must be [\"tracing\"].")
        }
        let words = (body["apiId"]?.string ?? "").split(separator: "/").map(String.init)
        guard let name = words.last, words.count == 1 || words[words.count - 2].lowercased() == "apis",
            try await exists(ResourceID(["apis", name]))
        else {
            throw APIError.validation("apiId", "There is no API of this id.")
        }
        let text = body["credentialsExpireAfter"]?.string ?? "PT1H"
        guard let seconds = ISODuration.seconds(text), (1...Self.secondsMax).contains(seconds) else {
            throw APIError.validation(
                "credentialsExpireAfter",
                "The value must be an ISO 8601 duration of at most one hour, as PT1H."
            )
        }
        let bare = String(name.lowercased().prefix { $0 != ";" })
        return .json(["token": .string(makeToken(bare, Int64(Date().timeIntervalSince1970) + seconds))])
    }

    func trace(_ body: JSONObject) throws(APIError) -> Response {
        guard let id = body["traceId"]?.string else { throw .validation("traceId", "The id of a trace is needed.") }
        guard let text = findTrace(id) else {
            throw .notFound("There is no trace of this id; traces are kept for a day, and not all of them.")
        }
        return Response(
            status: .ok,
            headers: [.contentType: "application/json; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: text))
        )
    }
}
