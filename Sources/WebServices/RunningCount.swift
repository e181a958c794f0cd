import Synchronization

/// Calls being scored now.
final class RunningCount: Sendable {
    private let count = Atomic<Int>(0)

    /// Counts one in, unless there are so many already.
    func enter(max: Int) -> Bool {
        let (_, now) = count.add(1, ordering: .relaxed)
        if now <= max { return true }
        count.subtract(1, ordering: .relaxed)
        return false
    }

    func leave() { count.subtract(1, ordering: .relaxed) }
}
