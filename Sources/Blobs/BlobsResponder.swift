package import HTTPWire
package import NIOCore

/// The blobs door until the protocol stands behind it: says so in the service's own words.
package final class BlobsResponder: WireResponder {
    private let wire: WireLoop

    package init(wire: WireLoop) { self.wire = wire }

    package func receiveHead(on connection: DownstreamConnection) -> BodyPlan {
        connection.send(answer(501, "NotImplemented", "The blob protocol is not built into this version."))
        connection.finish()
        return .answered
    }

    package func receiveBody(_ body: ByteBuffer, isLast: Bool, on connection: DownstreamConnection) {}
    package func abandon(on connection: DownstreamConnection) {}
    package func resume(on connection: DownstreamConnection) {}
    package func checkTime(_ now: NIODeadline, on connection: DownstreamConnection) {}

    package func refusal(_ status: Int, on connection: DownstreamConnection) -> ByteBuffer {
        answer(status, "InvalidInput", "The request is not valid HTTP/1.1.")
    }

    private func answer(_ status: Int, _ code: String, _ message: String) -> ByteBuffer {
        let body =
            #"<?xml version="1.0" encoding="utf-8"?><Error><Code>\#(code)</Code><Message>\#(message)</Message></Error>"#
        var buffer = ByteBuffer()
        ResponseBytes.writeHead(
            to: &buffer,
            status: status,
            contentType: "application/xml",
            contentLength: body.utf8.count,
            on: wire
        ) { buffer in
            _ = buffer.writeString("x-ms-error-code: \(code)\r\n")
        }
        buffer.writeString(body)
        return buffer
    }
}
