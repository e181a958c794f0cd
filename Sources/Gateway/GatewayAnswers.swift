import HTTPWire
import NIOCore
import Policies
import ResourceModel

/// The gateway's own answers, to the letter (contracts/api-management.md 2.1).
struct GatewayAnswers {
    private static let notFoundMessage = "Resource not found"
    private static let missingKeyMessage =
        "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API."
    private static let invalidKeyMessage =
        "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription."

    let wire: WireLoop
    /// The gateway's public address, without a closing slash.
    let publicURL: () -> String

    func notFound(_ connection: DownstreamConnection) -> ByteBuffer {
        answer(404, body(404, GatewayAnswers.notFoundMessage), connection)
    }

    func unauthorized(_ api: APIRoute, isKeyMissing: Bool, _ connection: DownstreamConnection) -> ByteBuffer {
        answer(
            401,
            body(401, isKeyMissing ? GatewayAnswers.missingKeyMessage : GatewayAnswers.invalidKeyMessage),
            connection,
            reason: "Access Denied",
            fields: "WWW-Authenticate: \(challenge(api))\r\n"
        )
    }

    /// The same for calls whose on-error policies have a say.
    var notFoundFailure: PolicyFailure {
        PolicyFailure(
            status: 404,
            message: GatewayAnswers.notFoundMessage,
            reason: "OperationNotFound",
            detail: "Unable to match incoming request to an operation.",
            source: "configuration"
        )
    }

    func unauthorizedFailure(_ api: APIRoute, isKeyMissing: Bool) -> PolicyFailure {
        PolicyFailure(
            status: 401,
            message: isKeyMissing ? GatewayAnswers.missingKeyMessage : GatewayAnswers.invalidKeyMessage,
            reason: isKeyMissing ? "SubscriptionKeyNotFound" : "SubscriptionKeyInvalid",
            // The published texts differ in one word: the body says "an API", this "this API".
            detail: isKeyMissing
                ? "Access denied due to missing subscription key. Make sure to include subscription key when making requests to this API."
                : GatewayAnswers.invalidKeyMessage,
            source: "authorization",
            fields: [("WWW-Authenticate", challenge(api))],
            statusReason: "Access Denied"
        )
    }

    private func challenge(_ api: APIRoute) -> String {
        "AzureApiManagementKey realm=\"\(publicURL())\(api.pathText)\",name=\"\(api.keyHeaderName)\",type=\"header\""
    }

    private func body(_ status: Int, _ message: String) -> String {
        #"{ "statusCode": \#(status), "message": "\#(message)" }"#
    }

    /// A backend that could not be reached or did not answer as HTTP; the id is what the log names the request by.
    func internalError(activityID: String, _ connection: DownstreamConnection) -> ByteBuffer {
        let body = #"{ "statusCode": 500, "message": "Internal server error", "activityId": "\#(activityID)" }"#
        return answer(500, body, connection)
    }

    func refusal(_ status: Int, _ connection: DownstreamConnection) -> ByteBuffer {
        let reason = ResponseBytes.reason(status)
        return answer(
            status,
            body(status, reason),
            connection,
            fields: "Connection: close\r\n"
        )
    }

    private func answer(
        _ status: Int,
        _ body: String,
        _ connection: DownstreamConnection,
        reason: String? = nil,
        fields: String = ""
    ) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(512)
        ResponseBytes.writeHead(
            to: &buffer,
            status: status,
            reason: reason,
            contentType: "application/json",
            contentLength: body.utf8.count,
            on: wire
        ) { buffer in
            _ = buffer.writeString(fields)
        }
        let isHEAD = connection.head.withUnsafeReadableBytes { raw in
            connection.parser.method.count == 4 && raw.count >= 4 && raw.prefix(4).elementsEqual("HEAD".utf8)
        }
        if !isHEAD { buffer.writeString(body) }
        return buffer
    }
}
