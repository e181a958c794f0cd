package import HTTPWire
package import NIOCore
import Policies

/// A request of the wire as policies see it; made for one call, read only when a policy asks.
final class WireRequestSource: RequestSource {
    private let connection: DownstreamConnection
    private let entry: OperationTable.Entry?
    /// The head as it came: that of the connection may be written anew for the backend.
    let original: ByteBuffer
    /// Where the fields stand in it, once the connection's head is another one; nil before.
    private var parser: HeadParser?
    private var fields: [HeadField] { parser?.fields ?? connection.parser.fields }
    private let methodRange: Range<Int>
    private let target: Range<Int>
    private let pathEnd: Int
    /// Whose key the call came with.
    private let keyAPI: APIRoute?
    /// Where the operation's path begins.
    private let operationStart: Int

    /// - Parameters:
    ///   - offset: how many bytes of the path are the API's.
    ///   - key: by whose names the call came with a key that is good; nil where it came without.
    init(_ connection: DownstreamConnection, entry: OperationTable.Entry?, offset: Int, key: APIRoute?) {
        self.connection = connection
        self.entry = entry
        keyAPI = key
        original = connection.head
        methodRange = connection.parser.method
        target = connection.parser.target
        pathEnd = connection.parser.pathEnd
        operationStart = min(target.lowerBound + offset, pathEnd)
    }

    private func text(_ range: Range<Int>) -> String {
        original.withUnsafeReadableBytes { String(decoding: $0[range], as: UTF8.self) }
    }

    var method: String { text(methodRange) }
    var isHEAD: Bool {
        methodRange.count == 4 && original.withUnsafeReadableBytes { $0[methodRange].elementsEqual("HEAD".utf8) }
    }
    var scheme: String { connection.isTLS ? "https" : "http" }
    var path: String { text(target.lowerBound..<pathEnd) }
    var query: String { text(min(pathEnd + 1, target.upperBound)..<target.upperBound) }
    var clientAddress: String { String(decoding: connection.clientAddress, as: UTF8.self) }
    var subscriptionKey: String? {
        guard let keyAPI else { return nil }
        return original.withUnsafeReadableBytes { keyAPI.key(parser ?? connection.parser, $0)?.decoded }
    }

    /// The connection's head is about to be written anew, with what the backend is told: policies go on seeing the caller's.
    func keepFields() { if parser == nil { parser = connection.parser } }

    var operationPath: String {
        let rest = text(operationStart..<pathEnd)
        return rest.hasPrefix("/") ? rest : "/" + rest
    }

    private var authority: (host: String, port: Int) {
        let text = values("host").first ?? ""
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]) else {
            return (text, connection.isTLS ? 443 : 80)
        }
        return (String(text[..<colon]), port)
    }

    var host: String { authority.host }
    var port: Int { authority.port }

    var matchedParameters: [(name: String, value: String)] {
        guard let entry else { return [] }
        return withAddress { entry.parameters(path: $0, query: $1) }
    }

    func templateText(_ name: String, isQuery: Bool) -> String? {
        guard let entry else { return nil }
        return withAddress { entry.addressText(name, isQuery: isQuery, path: $0, query: $1) }
    }

    /// Gives the operation's part of the path, and the query.
    private func withAddress<Value>(
        _ body: (_ path: UnsafeRawBufferPointer, _ query: UnsafeRawBufferPointer) -> Value
    ) -> Value {
        original.withUnsafeReadableBytes { head in
            body(
                UnsafeRawBufferPointer(rebasing: head[operationStart..<pathEnd]),
                UnsafeRawBufferPointer(rebasing: head[min(pathEnd + 1, target.upperBound)..<target.upperBound])
            )
        }
    }

    var templateQueryNames: Set<String> {
        Set((entry?.query ?? []).map { String(decoding: $0.name, as: UTF8.self) })
    }

    /// All fields as they came.
    var allFields: [(name: String, value: String)] {
        original.withUnsafeReadableBytes { head in
            fields.map { field in
                (
                    String(decoding: head[Int(field.nameStart)..<Int(field.nameEnd)], as: UTF8.self),
                    String(decoding: head[Int(field.valueStart)..<Int(field.valueEnd)], as: UTF8.self)
                )
            }
        }
    }

    func values(_ lowercasedName: String) -> [String] {
        original.withUnsafeReadableBytes { head in
            // Asked where it stands: a copy would count references.
            parser?.values(lowercasedName, in: head) ?? connection.parser.values(lowercasedName, in: head)
        }
    }
}

extension PolicyResponse {
    /// The backend's head; nil where a policy made the answer.
    var wireSource: WireResponseSource? {
        switch source {
        case let source as WireResponseSource: source
        case let answer as LocalAnswer: answer.parsed
        default: nil
        }
    }
}

/// The fields of a backend's answer as policies see them.
package final class WireResponseSource: HeaderSource, Sendable {
    let head: ByteBuffer
    let parser: HeadParser

    package init(head: ByteBuffer, parser: HeadParser) {
        self.head = head
        self.parser = parser
    }

    package func values(_ lowercasedName: String) -> [String] {
        head.withUnsafeReadableBytes { parser.values(lowercasedName, in: $0) }
    }
}
