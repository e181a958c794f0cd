import Synchronization

/// The endpoints that can be scored now; replaced as a whole, read by each loop without a lock while nothing changes.
package final class ServiceRegistry: Sendable {
    private let endpoints = Mutex<[String: ScoringEndpoint]>([:])
    private let generation = Atomic<Int>(0)

    package init() {}

    /// Puts or removes endpoints by id.
    package func update(_ change: (inout [String: ScoringEndpoint]) -> Void) {
        endpoints.withLock { change(&$0) }
        generation.add(1, ordering: .releasing)
    }

    package func endpoint(_ id: String) -> ScoringEndpoint? { endpoints.withLock { $0[id] } }

    /// Brings a loop's copy up to date; true when it changed.
    func refresh(_ copy: inout [String: ScoringEndpoint], _ seen: inout Int) -> Bool {
        let now = generation.load(ordering: .acquiring)
        guard now != seen else { return false }
        seen = now
        copy = endpoints.withLock { $0 }
        return true
    }
}
