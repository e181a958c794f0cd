import HTTPWire
package import NIOCore
package import Policies

/// Heads with the edits of policies in them: what no policy touched is copied as it came.
package enum EditedHead {
    /// The request's head with its edits; nil where there are none.
    static func request(_ request: PolicyRequest, _ connection: DownstreamConnection) -> ByteBuffer? {
        let edits = request.headers.edits.filter { $0.name.lowercased != "host" }
        var body: [UInt8]?
        if case .replaced(let bytes) = request.body { body = bytes }
        let changesTarget = request.path != nil || request.query != nil
        guard !edits.isEmpty || body != nil || changesTarget || request.method != nil else { return nil }
        let parser = connection.parser
        var output = ByteBuffer()
        connection.head.withUnsafeReadableBytes { head in
            output.reserveCapacity(head.count + 256)
            if let method = request.method {
                output.writeString(method)
            } else {
                output.writeBytes(UnsafeRawBufferPointer(rebasing: head[parser.method]))
            }
            output.writeStaticString(" ")
            output.writeString(request.currentPath)
            if !request.currentQuery.isEmpty {
                output.writeStaticString("?")
                output.writeString(request.currentQuery)
            }
            output.writeStaticString(parser.isHTTP10 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n")
            copy(head, parser, edits, dropsFraming: body != nil, dropsHop: false, &output)
        }
        write(edits, &output)
        if let body {
            output.writeStaticString("Content-Length: ")
            ResponseBytes.writeDecimal(body.count, to: &output)
            output.writeStaticString("\r\n")
        }
        output.writeStaticString("\r\n")
        return output
    }

    /// The head of an answer that came from a backend, without its empty line.
    ///
    /// - Parameter bodyCount: bytes of the body that is known to follow, so that there is room for it.
    static func response(_ response: PolicyResponse, _ source: WireResponseSource, bodyCount: Int = 0) -> ByteBuffer {
        var output = ByteBuffer()
        source.head.withUnsafeReadableBytes { head in
            output.reserveCapacity(head.count + bodyCount + 256)
            if response.status == source.parser.status, response.reason == nil {
                output.writeBytes(UnsafeRawBufferPointer(rebasing: head[..<source.parser.statusLineEnd]))
            } else {
                writeStatus(response, &output)
            }
            copy(head, source.parser, response.headers.edits, dropsFraming: false, dropsHop: true, &output)
        }
        write(response.headers.edits, &output)
        return output
    }

    /// The head of an answer as the cache keeps it: without framing and fields of the hop.
    ///
    /// - Parameter isOwnBody: whether the body is the backend's, so that its coding is what the head says.
    static func kept(_ response: PolicyResponse, isOwnBody: Bool) -> ByteBuffer {
        var output = ByteBuffer()
        writeStatus(response, &output)
        if let source = response.wireSource {
            source.head.withUnsafeReadableBytes { head in
                copy(
                    head,
                    source.parser,
                    response.headers.edits,
                    dropsFraming: true,
                    keepsCoding: isOwnBody,
                    dropsHop: true,
                    &output
                )
            }
        }
        write(response.headers.edits, &output)
        output.writeStaticString("\r\n")
        return output
    }

    /// The head of an answer whose body a policy made, without its empty line.
    ///
    /// - Parameter isOwnBody: whether the body is the one that the head came with.
    static func response(
        _ response: PolicyResponse,
        bodyCount: Int,
        isOwnBody: Bool,
        _ wire: WireLoop
    ) -> ByteBuffer {
        var output = ByteBuffer()
        writeStatus(response, &output)
        if let source = response.wireSource {
            source.head.withUnsafeReadableBytes { head in
                copy(
                    head,
                    source.parser,
                    response.headers.edits,
                    dropsFraming: true,
                    keepsCoding: isOwnBody,
                    dropsHop: true,
                    &output
                )
            }
        } else {
            wire.writeDate(to: &output)
        }
        write(response.headers.edits, &output)
        // These answers never have a body, and say nothing of one.
        if !GatewayExchange.hasNoBody(response.status) {
            output.writeStaticString("Content-Length: ")
            ResponseBytes.writeDecimal(bodyCount, to: &output)
            output.writeStaticString("\r\n")
        }
        return output
    }

    private static func writeStatus(_ response: PolicyResponse, _ output: inout ByteBuffer) {
        let reason = response.reason ?? ResponseBytes.reason(response.status)
        output.writeString("HTTP/1.1 \(response.status) \(reason)\r\n")
    }

    /// A line for each value of each edit.
    package static func write(_ edits: [HeaderEdits.Edit], _ output: inout ByteBuffer) {
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: edits.reduce(0) { $0 + count($1) }) { room in
            var writer = RoomWriter(room)
            for edit in edits { write(edit, to: &writer) }
            return writer.count
        }
    }

    /// Bytes of the lines of an edit, at most.
    static func count(_ edit: HeaderEdits.Edit) -> Int {
        guard let first = edit.first else { return 0 }
        return edit.more.reduce(edit.name.lineStart.count + first.utf8.count + 2) {
            $0 + edit.name.lineStart.count + $1.utf8.count + 2
        }
    }

    /// The lines of an edit, for which there is room, without cookies that would be taken for the portal's.
    static func write(_ edit: HeaderEdits.Edit, to writer: inout RoomWriter) {
        guard let first = edit.first else { return }
        guard edit.name.lowercased != "set-cookie" else {
            for value in edit.values where !PortalCookies.isSet(by: value.utf8) { write(edit.name, value, &writer) }
            return
        }
        write(edit.name, first, &writer)
        for value in edit.more { write(edit.name, value, &writer) }
    }

    private static func write(_ name: FieldName, _ value: String, _ writer: inout RoomWriter) {
        writer.write(name.lineStart)
        writer.write(value)
        writer.write("\r\n")
    }

    /// Copies the fields that no edit stands for.
    ///
    /// - Parameters:
    ///   - dropsFraming: whether the body is framed anew.
    ///   - keepsCoding: whether it is still the same body, so that its coding is what the head says.
    ///   - dropsHop: whether fields of the hop stay behind.
    private static func copy(
        _ head: UnsafeRawBufferPointer,
        _ parser: HeadParser,
        _ edits: [HeaderEdits.Edit],
        dropsFraming: Bool,
        keepsCoding: Bool = false,
        dropsHop: Bool,
        _ output: inout ByteBuffer
    ) {
        // What stays is copied in stretches.
        var start = parser.statusLineEnd
        for field in parser.fields {
            let name = UnsafeRawBufferPointer(rebasing: head[Int(field.nameStart)..<Int(field.nameEnd)])
            let goes =
                dropsHop && field.isHopByHop || dropsFraming && isFraming(name, keepsCoding)
                || edits.contains { Octets.equal(name, lowercased: $0.name.lowercasedBytes) }
            guard goes else { continue }
            let end = Int(field.nameStart)
            if end > start { output.writeBytes(UnsafeRawBufferPointer(rebasing: head[start..<end])) }
            start = Int(field.lineEnd)
        }
        let end = parser.length - 2
        if end > start { output.writeBytes(UnsafeRawBufferPointer(rebasing: head[start..<end])) }
    }

    private static func isFraming(_ name: UnsafeRawBufferPointer, _ keepsCoding: Bool) -> Bool {
        Octets.equal(name, "content-length") || Octets.equal(name, "transfer-encoding")
            || !keepsCoding && Octets.equal(name, "content-encoding")
    }
}
