/// The bounds of batch execution; settings of the installation.
package struct BatchLimits: Sendable, Equatable {
    /// Jobs of an endpoint side by side (the service's own 40); the others wait.
    package var runningPerEndpoint = 40
    /// Jobs side by side over all endpoints: each holds a read and a write open and some mebibytes.
    package var runningMax = 200
    /// Jobs that wait or are not started; hours of work for one machine.
    package var waitingMax = 10_000
    /// Threads that score.
    package var threads = 1
    /// Bytes of input, inflated, for a service whose modules need the whole table: some four times that is held in memory.
    package var tableBytesMax = 256 << 20
    /// Days that the record of an ended job is kept.
    package var jobDays = 90
    /// Days that results in the workspace's own storage are kept; 0 for as long as nobody deletes them.
    package var outputDays = 0

    /// Bytes of a request to submit a job: some thousands of blob references.
    package static let requestBytesMax = 1 << 20
    /// Bytes of input that are scored in one go: a millisecond of work, in steps short enough for who waits for the core.
    static let chunkBytes = 128 << 10
    /// The same while the data path is busy: steps of some fifty microseconds.
    static let chunkBytesBesideCallers = 16 << 10
    /// Bytes of output that one chunk may become, by its width: a chunk is cut shorter for wide tables.
    static let outputBytes = 16 << 20
    /// Columns that a file may have: one row of them is two mebibytes at least.
    static let outputColumnsMax = 1 << 20
    /// Calls about jobs that are being answered, over all endpoints: they wait for the disk together.
    static let callsMax = 1000
    /// Jobs of one page of a listing.
    package static let pageMax = 1000

    package init() {}

    /// Chunks that are under way, over all jobs: so many keep the threads busy while others are read and written.
    var chunksMax: Int { 2 * threads + 2 }
}
