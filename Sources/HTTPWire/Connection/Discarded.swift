/// What a loop does not want any more.
///
/// Freeing the routes of ten thousand APIs, or what was remembered of as many keys, would hold its callers up for milliseconds.
/// Nobody else refers to the containers, and what they hold is only let go of: that may happen on any thread.
package final class Discarded: @unchecked Sendable {
    private var things: [Any]

    package init(_ things: [Any]) { self.things = things }

    /// Frees them on a thread that nobody waits for.
    ///
    /// Called once the loop has put others in their place, so that nothing is left for it to free.
    package func release() { Task.detached(priority: .background) { self.things = [] } }
}
