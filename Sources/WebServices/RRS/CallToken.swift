package import NIOCore
import Synchronization

/// Tells a worker that its call has ended: the caller went away, or the time is up.
package final class CallToken: Sendable {
    private let isCancelledFlag = Atomic<Bool>(false)
    private let deadline: NIODeadline

    package init(deadline: NIODeadline) { self.deadline = deadline }

    package func cancel() { isCancelledFlag.store(true, ordering: .relaxed) }

    var isCancelled: Bool { isCancelledFlag.load(ordering: .relaxed) || isLate }
    var isLate: Bool { NIODeadline.now() > deadline }
}
