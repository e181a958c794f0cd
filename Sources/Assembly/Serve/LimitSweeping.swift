import Gateway
import Logging
import Policies
import ServiceLifecycle
import Store

/// Forgets counters of limits whose time is over, in memory and on the disk.
struct LimitSweeping: Service {
    /// What is over is kept for so much longer at most.
    private static let pause = Duration.seconds(5)
    /// Seconds that a row outlives its period: a clock that is set back a little finds it again.
    private static let grace: Int64 = 1

    let limits: LimitKeeping
    let logger: Logger

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                try await Task.sleep(for: Self.pause)
                for holder in limits.counters.sweep() + limits.quotas.sweep() {
                    logger.warning(
                        "new keys of a limit share one counter",
                        metadata: ["policy.id": "\(holder.policy)", "subscription.id": "\(holder.subscription)"]
                    )
                }
                do {
                    _ = try await limits.store.removeEnded(before: QuotaCounters.clock() - Self.grace)
                } catch is CancellationError { return } catch {
                    logger.warning("ended quotas could not be removed", metadata: ["error.code": "\(type(of: error))"])
                }
            }
        }
    }
}
