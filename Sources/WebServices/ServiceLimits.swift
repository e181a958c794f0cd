package import NIOCore

/// The bounds of scoring; settings of the installation.
package struct ServiceLimits: Sendable, Equatable {
    /// Bytes of a request: more belongs into a batch job.
    package var bodyBytesMax = 32 << 20
    /// Rows of a request.
    package var rowsMax = 200_000
    /// Cells of an answer: each is a text of the answer, so that four million are tens of megabytes.
    package var cellsMax = 4 << 20
    /// Time for one call; batch jobs are for what takes longer.
    package var timeout = TimeAmount.seconds(90)
    /// Calls being scored on workers, over all endpoints: each holds its tables in memory.
    package var concurrentCallsMax = 200
    /// Bytes × columns that are scored on the event loop itself: about 200 µs on a small machine.
    package var inlineWorkMax = 48 << 10

    package init() {}
}
