import HTTPWire
import Policies

/// A backend as the control plane knows it: an address with what is sent along, or a pool of such.
package final class ManagedBackend: Sendable {
    package enum Kind: Sendable {
        case single(APIRoute.Backend)
        case pool([Member])
    }

    /// A backend's place in a pool.
    package struct Member: Sendable {
        /// In lower case.
        package let id: String
        /// Its share among those of its priority.
        package let weight: Int
        /// The lowest that can be used is used.
        package let priority: Int

        package init(id: String, weight: Int, priority: Int) {
            self.id = id
            self.weight = weight
            self.priority = priority
        }
    }

    /// What is sent to the backend with every call.
    package struct Credentials: Sendable {
        package var headers: [(name: String, values: [String])] = []
        package var query: [(name: String, values: [String])] = []
        /// Scheme and parameter of `Authorization`.
        package var authorization: (scheme: String, parameter: String)?

        package init() {}

        /// A request with what the backend is sent along.
        func added(to request: PolicyRequest) -> PolicyRequest {
            var request = request
            for header in headers { request.headers.set(header.name, header.values) }
            if let authorization {
                request.headers.set("Authorization", ["\(authorization.scheme) \(authorization.parameter)"])
            }
            if !query.isEmpty {
                var list = QueryList(request.currentQuery)
                for item in query { list.set(item.name, item.values) }
                request.query = list.text
            }
            return request
        }

        /// All values among them: what nobody is shown.
        var texts: Set<String> {
            var texts = Set(headers.flatMap(\.values) + query.flatMap(\.values))
            if let authorization { texts.insert(authorization.parameter) }
            return texts
        }

        var isEmpty: Bool { headers.isEmpty && query.isEmpty && authorization == nil }
    }

    /// In lower case.
    package let id: String
    let kind: Kind
    let credentials: Credentials
    package let state: BackendState

    /// - Parameter state: the one that the backend had before it changed, so that what is known of its health stays.
    package init(id: String, kind: Kind, credentials: Credentials, state: BackendState) {
        self.id = id
        self.kind = kind
        self.credentials = credentials
        self.state = state
    }
}

/// Why a call cannot go to a managed backend.
package enum BackendProblem: Error {
    case unknown
    /// Its circuit is open, or that of each of its pool.
    case unavailable
}

extension [String: ManagedBackend] {
    /// Pools in pools at most.
    private static var depthMax: Int { 3 }

    /// The backend that a call goes to.
    ///
    /// - Parameters:
    ///   - excluded: members that the call could not reach.
    ///   - draw: a number that picks among members of a pool.
    package func choose(
        _ id: String,
        excluding excluded: Set<String>,
        now: UInt64,
        draw: () -> UInt64
    ) throws(BackendProblem) -> ManagedBackend {
        var id = id.lowercased()
        for _ in 0..<Self.depthMax {
            guard let backend = self[id] else { throw .unknown }
            guard case .pool(let members) = backend.kind else {
                guard backend.state.isClosed(now) else { throw .unavailable }
                return backend
            }
            let usable = members.filter { member in
                !excluded.contains(member.id) && self[member.id].map { $0.state.isClosed(now) } ?? false
            }
            // What is only suspected to be down is asked all the same where there is nothing better.
            let healthy = usable.filter { self[$0.id].map { $0.state.isHealthy(now) } ?? false }
            let candidates = healthy.isEmpty ? usable : healthy
            guard let first = candidates.map(\.priority).min() else { throw .unavailable }
            let group = candidates.filter { $0.priority == first }
            let total = group.reduce(0) { $0 + $1.weight }
            var left = Int(draw() % UInt64(Swift.max(1, total)))
            id = group.last?.id ?? ""
            for member in group {
                left -= member.weight
                if left < 0 {
                    id = member.id
                    break
                }
            }
        }
        throw .unknown
    }
}
