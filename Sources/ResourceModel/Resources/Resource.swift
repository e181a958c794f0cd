/// A managed thing as a uniform document: what every door of the control plane shows in its own shape.
package struct Resource: Sendable, Equatable {
    package var id: ResourceID
    /// Changes with every write; opaque to clients.
    package var etag: String
    /// The place of the last write in the order of commits.
    package var sequence: Int64
    package var properties: JSONObject

    package init(id: ResourceID, etag: String, sequence: Int64, properties: JSONObject) {
        self.id = id
        self.etag = etag
        self.sequence = sequence
        self.properties = properties
    }
}

/// The place of a resource below the service, as `/apis/echo/operations/get`.
///
/// Type words and names alternate. Names keep the case they were created with and compare without it, as ARM's do.
package struct ResourceID: Sendable, Hashable, CustomStringConvertible {
    package let segments: [String]

    package init(_ segments: [String]) { self.segments = segments }

    package init(_ path: String) {
        segments = path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
    }

    /// The service itself.
    package static let service = ResourceID([])

    package var description: String { "/" + segments.joined(separator: "/") }
    package var name: String { segments.last ?? "" }
    /// `apis/operations` for an operation; empty for the service.
    package var type: String {
        stride(from: 0, to: segments.count, by: 2).map { segments[$0] }.joined(separator: "/")
    }
    package var parent: ResourceID { ResourceID(Array(segments.dropLast(2))) }
    /// What the store looks up: the path without case.
    package var key: String { description.lowercased() }

    package func child(_ type: String, _ name: String) -> ResourceID { ResourceID(segments + [type, name]) }

    package static func == (left: ResourceID, right: ResourceID) -> Bool { left.key == right.key }
    package func hash(into hasher: inout Hasher) { hasher.combine(key) }
}
