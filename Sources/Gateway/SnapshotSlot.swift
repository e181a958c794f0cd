import Synchronization

/// Where the current snapshot stands: written by the builder, read by each loop.
///
/// A loop keeps the reference it has and asks for another only when the generation moved: one atomic load a request, no lock
/// that cores share.
package final class SnapshotSlot: Sendable {
    private let current = Mutex(GatewaySnapshot.empty)
    private let generation = Atomic<Int>(0)

    package init() {}

    package func publish(_ snapshot: GatewaySnapshot) {
        current.withLock { $0 = snapshot }
        generation.add(1, ordering: .releasing)
    }

    package var snapshot: GatewaySnapshot { current.withLock { $0 } }

    /// Whether there is another snapshot than the one that a loop took last.
    @inline(__always)
    func hasMoved(_ seen: inout Int) -> Bool {
        let now = generation.load(ordering: .acquiring)
        guard now != seen else { return false }
        seen = now
        return true
    }
}
