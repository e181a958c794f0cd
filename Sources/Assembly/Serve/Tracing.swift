import Foundation
import Gateway
import HTTPServing
import Hummingbird
import Management
import ResourceModel
import Store

/// The traces of calls, between the gateway that makes them and the door that shows them.
struct Tracing: Sendable {
    let traces = TraceStore()
    let tokens: DebugTokens

    init(box: SecretBox) { tokens = DebugTokens(key: box.key(for: "gatehouse debug tokens v1")) }

    var actions: TraceActions {
        TraceActions(
            makeToken: { tokens.make(api: $0, expires: $1) },
            findTrace: { traces.find($0, now: Self.now()) }
        )
    }

    /// `Ocp-Apim-Trace-Location` points here: whoever knows the id may read the trace, as with the address of the service.
    func addRoutes(to router: Router<ServingContext>) {
        router.get("/traces/:id") { _, context -> Response in
            guard let id = context.parameters.get("id"), let text = traces.find(id, now: Self.now()) else {
                throw APIError.notFound("There is no trace of this id; traces are kept for a day, and not all of them.")
            }
            return Response(
                status: .ok,
                headers: [.contentType: "application/json; charset=utf-8", .cacheControl: "no-store"],
                body: .init(byteBuffer: ByteBuffer(string: text))
            )
        }
    }

    private static func now() -> Int64 { Int64(Date().timeIntervalSince1970) }
}
