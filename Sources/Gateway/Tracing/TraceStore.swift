import ResourceModel
import Synchronization

/// The traces of the last calls that somebody wanted to see, until they are old; shared by all loops.
package final class TraceStore: Sendable {
    /// Traces that are kept.
    private static let tracesMax = 500
    /// Characters of all of them.
    private static let charactersMax = 32 << 20
    /// Seconds that a trace is kept (the service keeps them for a day; the retention is not published).
    private static let secondsMax: Int64 = 86_400

    private struct Trace {
        let text: String
        let end: Int64
    }

    private struct State {
        var traces: [String: Trace] = [:]
        var order: [String] = []
        var characters = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// - Parameters:
    ///   - id: not to be guessed: whoever knows it may read the trace.
    ///   - now: seconds since 1970.
    func insert(_ id: String, _ document: JSONValue, now: Int64) {
        let text = document.text
        state.withLock { state in
            state.traces[id] = Trace(text: text, end: now + TraceStore.secondsMax)
            state.order.append(id)
            state.characters += text.utf8.count
            while state.order.count > TraceStore.tracesMax || state.characters > TraceStore.charactersMax,
                let oldest = state.order.first
            {
                state.order.removeFirst()
                state.characters -= state.traces.removeValue(forKey: oldest)?.text.utf8.count ?? 0
            }
        }
    }

    /// The trace as JSON; nil where there is none of that id, or none any more.
    package func find(_ id: String, now: Int64) -> String? {
        state.withLock { state in state.traces[id].flatMap { $0.end > now ? $0.text : nil } }
    }
}
