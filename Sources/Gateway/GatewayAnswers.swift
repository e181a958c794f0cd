import HTTPWire
import NIOCore
import ResourceModel

/// The gateway's own answers, to the letter (contracts/api-management.md 2.1).
struct GatewayAnswers {
    private static let notFoundBody = #"{ "statusCode": 404, "message": "Resource not found" }"#
    private static let missingKeyBody =
        #"{ "statusCode": 401, "message": "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API." }"#
    private static let invalidKeyBody =
        #"{ "statusCode": 401, "message": "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription." }"#

    let wire: WireLoop
    /// The gateway's public address, without a closing slash.
    let publicURL: () -> String

    func notFound(_ connection: DownstreamConnection) -> ByteBuffer {
        answer(404, GatewayAnswers.notFoundBody, connection)
    }

    func unauthorized(_ api: APIRoute, isKeyMissing: Bool, _ connection: DownstreamConnection) -> ByteBuffer {
        answer(
            401,
            isKeyMissing ? GatewayAnswers.missingKeyBody : GatewayAnswers.invalidKeyBody,
            connection,
            reason: "Access Denied",
            fields: "WWW-Authenticate: AzureApiManagementKey realm=\"\(publicURL())\(api.pathText)\","
                + "name=\"\(api.keyHeaderName)\",type=\"header\"\r\n"
        )
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
            #"{ "statusCode": \#(status), "message": "\#(reason)" }"#,
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
