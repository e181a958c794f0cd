import Synchronization

/// Bytes of the bodies that a door is collecting and has not whole yet, over all of its loops.
package final class CollectedBytes: Sendable {
    private let count = Atomic<Int>(0)

    package init() {}

    /// Counts bytes in, unless there are too many already.
    package func take(_ bytes: Int, max: Int) -> Bool {
        if count.add(bytes, ordering: .relaxed).newValue <= max { return true }
        count.subtract(bytes, ordering: .relaxed)
        return false
    }

    package func give(_ bytes: Int) { count.subtract(bytes, ordering: .relaxed) }
}
