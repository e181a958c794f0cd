import HTTPWire
import NIOCore
import Policies

/// A request of the wire as policies see it; made for one call, read only when a policy asks.
final class WireRequestSource: RequestSource {
    private let connection: DownstreamConnection
    private let entry: OperationTable.Entry?
    /// The request line as it came: the head of the connection may be written anew for the backend.
    private let targetBytes: [UInt8]
    private let pathLength: Int
    private let offset: Int
    let method: String
    let subscriptionKey: String?

    /// - Parameter offset: how many bytes of the path are the API's.
    init(
        _ connection: DownstreamConnection,
        entry: OperationTable.Entry?,
        offset: Int,
        subscriptionKey: String?
    ) {
        self.connection = connection
        self.entry = entry
        self.offset = offset
        self.subscriptionKey = subscriptionKey
        let parser = connection.parser
        (targetBytes, method) = connection.head.withUnsafeReadableBytes { head in
            (Array(head[parser.target]), String(decoding: head[parser.method], as: UTF8.self))
        }
        pathLength = parser.pathEnd - parser.target.lowerBound
    }

    var scheme: String { "http" }
    var path: String { String(decoding: targetBytes[..<pathLength], as: UTF8.self) }
    var query: String { String(decoding: targetBytes.dropFirst(pathLength + 1), as: UTF8.self) }
    var clientAddress: String { String(decoding: connection.clientAddress, as: UTF8.self) }

    var operationPath: String {
        let rest = String(decoding: targetBytes[min(offset, pathLength)..<pathLength], as: UTF8.self)
        return rest.hasPrefix("/") ? rest : "/" + rest
    }

    private var authority: (host: String, port: Int) {
        let text = values("host").first ?? ""
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]) else {
            return (text, 80)
        }
        return (String(text[..<colon]), port)
    }

    var host: String { authority.host }
    var port: Int { authority.port }

    var matchedParameters: [(name: String, value: String)] {
        guard let entry else { return [] }
        return targetBytes.withUnsafeBytes { target in
            entry.parameters(
                path: UnsafeRawBufferPointer(rebasing: target[min(offset, pathLength)..<pathLength]),
                query: UnsafeRawBufferPointer(rebasing: target[min(pathLength + 1, target.count)...])
            )
        }
    }

    var templateQueryNames: Set<String> {
        Set((entry?.query ?? []).map { String(decoding: $0.name, as: UTF8.self) })
    }

    func values(_ lowercasedName: String) -> [String] {
        connection.head.withUnsafeReadableBytes { connection.parser.values(lowercasedName, in: $0) }
    }
}

/// The fields of a backend's answer as policies see them.
final class WireResponseSource: HeaderSource {
    let head: ByteBuffer
    let parser: HeadParser

    init(head: ByteBuffer, parser: HeadParser) {
        self.head = head
        self.parser = parser
    }

    func values(_ lowercasedName: String) -> [String] {
        head.withUnsafeReadableBytes { parser.values(lowercasedName, in: $0) }
    }
}
