import Synchronization

/// What the tasks of a door take of the machine, over all of its loops.
///
/// A request counts while it works. While it waits for its client, to send a body or to take an answer, only the bytes that it holds count: so
/// clients that are slow, or mean to be, do not close the door for others. Of clients themselves the bounds of connections judge.
package final class DoorLoad: Sendable {
    /// Bytes held for clients beyond which each transfer is given little at a time.
    private static let heldBytesMax = 128 << 20

    private let workingMax: Int
    private let working = Atomic<Int>(0)
    private let held = Atomic<Int>(0)

    /// - Parameter workingMax: requests at work at once: each holds memory and waits for the disk.
    package init(workingMax: Int) { self.workingMax = workingMax }

    /// Counts a request in, unless too many are at work; then `leave` must be called at its end.
    package func enter() -> Bool {
        if working.add(1, ordering: .relaxed).newValue <= workingMax { return true }
        leave()
        return false
    }

    package func leave() { working.subtract(1, ordering: .relaxed) }

    /// Its client is waited for.
    func pause() { leave() }

    /// It goes on, whatever has come meanwhile: what is begun is ended, and those behind it are refused first.
    func resume() { working.add(1, ordering: .relaxed) }

    func hold(_ bytes: Int) { held.add(bytes, ordering: .relaxed) }
    func release(_ bytes: Int) { held.subtract(bytes, ordering: .relaxed) }

    /// Whether transfers should take little at a time.
    package var isScarce: Bool { held.load(ordering: .relaxed) > Self.heldBytesMax }
}
