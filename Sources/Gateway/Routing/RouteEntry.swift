/// How the versions of an API are told apart (contracts/api-management.md 1.3).
package enum VersionScheme: Sendable, Hashable {
    /// The version is a segment behind the path: such an API simply has a longer path.
    case segment
    /// The name of a query parameter or of a field, in lower case.
    case query([UInt8])
    case header([UInt8])
}

/// One API of a path with its revisions.
struct RevisionSet: Sendable {
    private(set) var current: APIRoute?
    private var others: [String: APIRoute] = [:]

    mutating func add(_ api: APIRoute) {
        if api.isCurrent {
            if current == nil { current = api }
        } else {
            others[api.revision] = api
        }
    }

    /// - Parameter revision: nil for the current one.
    func find(_ revision: String?) -> APIRoute? {
        guard let revision else { return current }
        return others[revision] ?? (current?.revision == revision ? current : nil)
    }
}

/// What stands at one path: an API without a version, and those that a parameter or a field picks.
package struct RouteEntry: Sendable {
    private var plain = RevisionSet()
    /// By scheme, then by version in lower case.
    private var versions: [(scheme: VersionScheme, sets: [String: RevisionSet])] = []

    mutating func add(_ api: APIRoute) {
        guard let version = api.version, version.scheme != .segment else { return plain.add(api) }
        if let place = versions.firstIndex(where: { $0.scheme == version.scheme }) {
            versions[place].sets[version.name, default: RevisionSet()].add(api)
        } else {
            var set = RevisionSet()
            set.add(api)
            versions.append((version.scheme, [version.name: set]))
        }
    }

    /// Whether the answer depends on more than the request line.
    var readsFields: Bool {
        versions.contains { if case .header = $0.scheme { true } else { false } }
    }

    /// The API that the request names; one that names a version which is not there finds none.
    ///
    /// - Parameter field: the value of a field of that lower-case name.
    package func find(
        _ revision: String?,
        query: UnsafeRawBufferPointer,
        field: ([UInt8]) -> UnsafeRawBufferPointer?
    ) -> APIRoute? {
        for (scheme, sets) in versions {
            var given: UnsafeRawBufferPointer?
            switch scheme {
            case .segment: break
            case .header(let name): given = field(name)
            case .query(let name):
                QueryText.forEach(query) { found, value in
                    if given == nil, PathText.equal(found, name) { given = value }
                }
            }
            guard let given, !given.isEmpty else { continue }
            return sets[PathText.lowercased(given)]?.find(revision)
        }
        return plain.find(revision)
    }
}
