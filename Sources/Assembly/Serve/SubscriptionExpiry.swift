import Foundation
import Logging
import Management
import ServiceLifecycle
import Store

/// Ends subscriptions whose time is over.
struct SubscriptionExpiry: Service {
    /// A key may work so much longer than it should.
    private static let period = Duration.seconds(15)

    let resources: ResourceService
    let logger: Logger

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                do {
                    try await ChangeActor.$current.withValue("expiry") {
                        try await SubscriptionRules.expire(resources, now: Date())
                    }
                } catch is CancellationError { return } catch {
                    logger.warning("subscriptions could not be ended", metadata: ["error.code": "\(type(of: error))"])
                }
                try await Task.sleep(for: Self.period)
            }
        }
    }
}
