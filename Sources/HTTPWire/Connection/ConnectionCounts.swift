import Synchronization

/// How many connections a door has, in all and of each address; asked once a connection, by all loops.
package final class ConnectionCounts: Sendable {
    private struct State {
        var all = 0
        var byAddress: [[UInt8]: Int] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    /// Counts a connection if there is room for it.
    ///
    /// - Returns: whether it may stay; then `leave` must be called at its end.
    func enter(_ address: [UInt8], _ limits: WireLimits) -> Bool {
        state.withLock { state in
            let count = state.byAddress[address, default: 0]
            guard state.all < limits.connectionsMax, count < limits.connectionsPerAddressMax else { return false }
            state.all += 1
            state.byAddress[address] = count + 1
            return true
        }
    }

    func leave(_ address: [UInt8]) {
        state.withLock { state in
            state.all -= 1
            let count = state.byAddress[address, default: 1] - 1
            state.byAddress[address] = count > 0 ? count : nil
        }
    }
}
