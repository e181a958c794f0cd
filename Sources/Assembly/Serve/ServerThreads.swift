import Blobs
import Gateway
import HTTPWire
import NIOCore
import NIOPosix

/// The loops and threads of a server's doors; they end after everything that uses them.
package struct ServerThreads: Sendable {
    /// Threads that look up names: a name server that is slow holds one for seconds.
    private static let resolvingCount = 2

    /// Of the data path.
    let loops: MultiThreadedEventLoopGroup
    /// Control work has a loop of its own, never one of the data path.
    let portalLoop: MultiThreadedEventLoopGroup
    /// Score what is too large for a loop.
    let workers: NIOThreadPool
    let resolving: NIOThreadPool

    package static func open(_ settings: ServeSettings, _ closing: ClosingList) async throws -> ServerThreads {
        let loops = MultiThreadedEventLoopGroup(numberOfThreads: settings.loops)
        closing.add("loops") { try await loops.shutdownGracefully() }
        let portalLoop = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        closing.add("portal's loop") { try await portalLoop.shutdownGracefully() }
        let pool = { (name: String, count: Int) in
            let threads = NIOThreadPool(numberOfThreads: count)
            threads.start()
            closing.add(name) { try await threads.shutdownGracefully() }
            return threads
        }
        let resolving = pool("resolving threads", resolvingCount)
        let workers = pool("workers", ProcessorCount.available)
        for loop in loops.makeIterator() { try await loop.submit { CallerLoad.watchCallingThread() }.get() }
        return ServerThreads(loops: loops, portalLoop: portalLoop, workers: workers, resolving: resolving)
    }
}
