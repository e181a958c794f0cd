package import Policies
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// How much of a quota's period is used, or reserved.
package struct QuotaStanding: Sendable, Equatable {
    /// The policy that counts, and whom it counts.
    package let counter: String
    package let subject: String
    /// When the period began, and when it is over (nil for never), in seconds since 1970.
    package let period: Int64
    package let end: Int64?
    /// Calls, or bytes where the counter's name says so.
    package let count: Int64

    package init(counter: String, subject: String, period: Int64, end: Int64?, count: Int64) {
        self.counter = counter
        self.subject = subject
        self.period = period
        self.end = end
        self.count = count
    }
}

/// Where quotas are kept; given to the gateway, which knows no store.
package protocol QuotaLedger: Sendable {
    /// Raises what is reserved for a period; durable when it returns.
    func reserve(_ standing: QuotaStanding) async throws
    /// Sets what is reserved for a period, be it less than before.
    func replace(_ standing: QuotaStanding) async throws
    /// What is reserved for a period with that end: one of another length that began at the same time is another one.
    func reserved(counter: String, subject: String, period: Int64, end: Int64?) async throws -> Int64
    /// What is reserved for a subject by all counters.
    func standings(subject: String) async throws -> [QuotaStanding]
}

/// The counters of quotas, shared by all loops.
///
/// Calls are reserved ahead in the ledger, and no call passes that is not reserved: what a crash leaves of a reservation counts as
/// used, so that it never lets more through. The next piece is asked for while half of the last is left, so that calls rarely wait.
package final class QuotaCounters: Sendable {
    /// Parts of a quota that are reserved at once: what a crash may cost a caller.
    private static let partsOfQuota: Int64 = 100
    /// Calls of one reservation at first: a thousand calls share one write.
    private static let callsPiece: Int64 = 1000
    /// Doublings of it for a counter that needs more than one write a second: what is read and counted faster is written as often.
    private static let doublingsMax = 6
    /// Bytes of one reservation at most, where bytes are counted.
    private static let bytesPieceMax: Int64 = 16 << 20
    /// A power of two.
    private static let shardCount = 64
    /// Counters of a shard; when there are more, those whose periods are over go at once.
    private static let countersMax = 4096
    /// Seconds between two looks at a shard for room.
    private static let sweepPause: Int64 = 1

    private struct Name: Hashable {
        let counter: String
        let subject: String
        let hash: Int

        func hash(into hasher: inout Hasher) { hasher.combine(hash) }
    }

    private struct Counter {
        let period: Int64
        /// When the period is over; nil for never.
        let end: Int64?
        /// In whose bound it counts.
        let holder: CounterHolder?
        var used: Int64 = 0
        /// nil until the ledger has said it.
        var reserved: Int64?
        var isAsking = false
        /// Seconds since 1970 at the last reservation.
        var askedAt: Int64 = 0
        /// How often the piece was doubled.
        var doublings = 0
        var waiting: [@Sendable () -> Void] = []
        var hasFailed = false

        /// Whether its period is over, and nobody waits for it.
        func isOver(_ now: Int64) -> Bool { !isAsking && waiting.isEmpty && end.map { $0 <= now } ?? false }

        /// A period of another length that began at the same time, after a change of the policy, is another one.
        func counts(_ span: (start: Int64, end: Int64?)) -> Bool { period == span.start && end == span.end }

        /// Fits the next piece to what is used: doubled where one lasted no second, halved where it lasted longer than two.
        mutating func noteReservation(_ now: Int64) {
            if now - askedAt < 1 {
                doublings = min(doublings + 1, QuotaCounters.doublingsMax)
            } else if now - askedAt > 2 {
                doublings = max(doublings - 1, 0)
            }
            askedAt = now
        }
    }

    private struct Shard {
        var counters: [Name: Counter] = [:]
        /// Where the next sweep is worth its time.
        var sweepAt = QuotaCounters.countersMax
        var sweptAt = Int64.min

        /// Forgets counters whose periods are over.
        mutating func sweep(_ now: Int64, _ bounds: CounterBounds) {
            sweptAt = now
            defer { sweepAt = max(QuotaCounters.countersMax, counters.count * 2) }
            // Looked at first: where nothing is over, nothing is built anew.
            guard counters.values.contains(where: { $0.isOver(now) }) else { return }
            counters = counters.filter { item in
                guard item.value.isOver(now) else { return true }
                if let holder = item.value.holder { bounds.leave(holder) }
                return false
            }
        }
    }

    private final class Cell: Sendable {
        let state = Mutex(Shard())
    }

    private let ledger: any QuotaLedger
    private let cells: [Cell]
    private let bounds: CounterBounds
    /// Seconds since 1970.
    private let now: @Sendable () -> Int64

    /// - Parameter keysMax: of each policy for each subscription.
    package init(
        ledger: any QuotaLedger,
        keysMax: Int = LimitCounters.keysMax,
        now: @Sendable @escaping () -> Int64 = QuotaCounters.clock
    ) {
        self.ledger = ledger
        bounds = CounterBounds(countersMax: keysMax)
        self.now = now
        cells = (0..<QuotaCounters.shardCount).map { _ in Cell() }
    }

    package static func clock() -> Int64 {
        var time = timespec()
        // Periods are seconds; the finer clock costs five times as much.
        clock_gettime(CLOCK_REALTIME_COARSE, &time)
        return Int64(time.tv_sec)
    }

    /// Counts a call if there is room.
    ///
    /// - Parameter whenReady: gives what is called once, on any thread, after `.pending`; asked for only then, so that calls that need
    ///   not wait make nothing.
    package func take(
        _ window: QuotaWindow,
        increment: Int,
        whenReady: () -> @Sendable () -> Void
    ) -> QuotaVerdict {
        let now = now()
        return use(window, now) { counter in
            QuotaCounters.judge(&counter, window, Int64(increment), now, whenReady)
        }
    }

    /// Counts what is known only after the answer.
    package func add(_ window: QuotaWindow, _ count: Int) {
        let limit = Int64(window.calls)
        use(window, now()) { counter in
            counter.used = min(limit, counter.used + Int64(count))
            guard !counter.isAsking else { return ((), nil) }
            guard let reserved = counter.reserved else {
                counter.isAsking = true
                return ((), 0)
            }
            // Ahead of what is used, so that a crash between two calls forgets nothing of it.
            let piece = QuotaCounters.piece(window, 0)
            guard reserved < limit, reserved - counter.used <= piece / 2 else { return ((), nil) }
            counter.isAsking = true
            return ((), min(limit, counter.used + piece))
        }
    }

    /// Works on a window's counter under its lock, and asks the ledger what it wants to know.
    private func use<Value>(
        _ window: QuotaWindow,
        _ now: Int64,
        _ body: (inout Counter) -> (value: Value, ask: Int64?)
    ) -> Value {
        let name = Name(
            counter: window.counter,
            subject: window.holder == nil ? window.subject : CounterKey.kept(window.subject),
            hash: window.hash
        )
        let period = QuotaCounters.period(window, now)
        let cell = cells[window.hash & (QuotaCounters.shardCount - 1)]
        let found: (value: Value, ask: Int64?)? = cell.state.withLock { shard in
            guard let place = shard.counters.index(forKey: name) else {
                guard hasRoom(for: window.holder, &shard, now) else { return nil }
                var counter = Counter(period: period.start, end: period.end, holder: window.holder)
                defer { shard.counters[name] = counter }
                return body(&counter)
            }
            if !shard.counters.values[place].counts(period) {
                // Who still waits for the period before is told with those of the new one.
                let before = shard.counters.values[place]
                shard.counters.values[place] = Counter(period: period.start, end: period.end, holder: before.holder)
                shard.counters.values[place].waiting = before.waiting
            }
            return body(&shard.counters.values[place])
        }
        // New keys beyond the bound share one counter with the limit of one key.
        guard let (value, ask) = found else { return use(QuotaCounters.others(window), now, body) }
        if let ask { request(name, period, ask, cell) }
        return value
    }

    /// Takes room for another counter.
    private func hasRoom(for holder: CounterHolder?, _ shard: inout Shard, _ now: Int64) -> Bool {
        if shard.counters.count >= shard.sweepAt { shard.sweep(now, bounds) }
        guard let holder, !bounds.enter(holder) else { return true }
        guard shard.sweptAt < now - QuotaCounters.sweepPause else { return false }
        shard.sweep(now, bounds)
        return bounds.enter(holder)
    }

    private static func others(_ window: QuotaWindow) -> QuotaWindow {
        QuotaWindow(
            // The end of the name says what is counted.
            counter: "others of \(window.holder?.policy ?? ""), \(window.counter)",
            subject: window.holder?.subscription ?? "",
            calls: window.calls,
            period: window.period,
            firstPeriod: window.firstPeriod,
            isBandwidth: window.isBandwidth
        )
    }

    /// Forgets counters whose periods are over, a shard at a time.
    ///
    /// - Returns: who had no room for new keys since this was called before.
    package func sweep() -> [CounterHolder] {
        for cell in cells {
            cell.state.withLock { shard in
                if !shard.counters.isEmpty { shard.sweep(now(), bounds) }
            }
        }
        return bounds.takeFull()
    }

    /// Counters that are kept now.
    package var counterCount: Int { cells.reduce(0) { $0 + $1.state.withLock { $0.counters.count } } }

    /// How many calls or bytes are reserved at once.
    private static func piece(_ window: QuotaWindow, _ doublings: Int) -> Int64 {
        min(
            window.isBandwidth ? bytesPieceMax : callsPiece << Int64(doublings),
            max(1, Int64(window.calls) / partsOfQuota)
        )
    }

    /// - Returns: the verdict, and what the ledger is to be asked: a new reservation, or 0 for what there is.
    private static func judge(
        _ counter: inout Counter,
        _ window: QuotaWindow,
        _ increment: Int64,
        _ now: Int64,
        _ whenReady: () -> @Sendable () -> Void
    ) -> (QuotaVerdict, Int64?) {
        let limit = Int64(window.calls)
        let mayAsk = !counter.isAsking
        guard let reserved = counter.reserved else {
            guard !counter.hasFailed else {
                // The next call asks again.
                counter.hasFailed = false
                return (.unavailable, nil)
            }
            counter.isAsking = true
            counter.waiting.append(whenReady())
            return (.pending, mayAsk ? 0 : nil)
        }
        guard counter.used < limit else { return (.refused(counter.end.map { max(1, $0 - now) }), nil) }
        let piece = piece(window, counter.doublings)
        let next = min(limit, max(reserved, counter.used + increment) + piece)
        guard counter.used + increment <= reserved || increment == 0 else {
            guard !counter.hasFailed else {
                counter.hasFailed = false
                return (.unavailable, nil)
            }
            // More at once than there is room for counts as far as anybody could tell the difference.
            if counter.used + increment > limit, reserved == limit {
                counter.used = limit
                return (.allowed, nil)
            }
            counter.isAsking = true
            counter.waiting.append(whenReady())
            if mayAsk { counter.noteReservation(now) }
            return (.pending, mayAsk ? next : nil)
        }
        counter.used += increment
        guard mayAsk, reserved < limit, reserved - counter.used <= piece / 2 else { return (.allowed, nil) }
        counter.isAsking = true
        counter.noteReservation(now)
        return (.allowed, next)
    }

    /// Asks the ledger, and lets those go on who wait.
    private func request(_ name: Name, _ span: (start: Int64, end: Int64?), _ calls: Int64, _ cell: Cell) {
        let ledger = ledger
        let (period, end) = span
        // Awaited by nobody: each counter asks once at a time, and those who wait are told.
        Task {
            let reserved: Int64?
            do {
                if calls == 0 {
                    reserved = try await ledger.reserved(
                        counter: name.counter,
                        subject: name.subject,
                        period: period,
                        end: end
                    )
                } else {
                    try await ledger.reserve(
                        QuotaStanding(
                            counter: name.counter,
                            subject: name.subject,
                            period: period,
                            end: end,
                            count: calls
                        )
                    )
                    reserved = calls
                }
            } catch { reserved = nil }
            let waiting = cell.state.withLock { shard -> [@Sendable () -> Void] in
                guard var counter = shard.counters[name], counter.counts(span) else { return [] }
                defer { shard.counters[name] = counter }
                counter.isAsking = false
                if let reserved {
                    // What an earlier process reserved counts as used.
                    if counter.reserved == nil { counter.used += reserved }
                    counter.reserved = max(counter.reserved ?? 0, reserved)
                } else {
                    counter.hasFailed = true
                }
                defer { counter.waiting = [] }
                return counter.waiting
            }
            for goOn in waiting { goOn() }
        }
    }

    // MARK: - For those who manage quotas

    /// The periods that are not over, of all counters of a subject; exact for those that were used since the start of the process.
    ///
    /// - Parameter subject: a subscription, or a key as a policy computed it.
    package func standings(subject: String) async throws -> [QuotaStanding] {
        let now = now()
        let kept = CounterKey.kept(subject)
        var found: [String: QuotaStanding] = [:]
        for standing in try await ledger.standings(subject: subject) { found[standing.counter] = standing }
        for cell in cells {
            cell.state.withLock { shard in
                for (name, counter) in shard.counters
                where (name.subject == kept || name.subject == subject) && counter.reserved != nil {
                    found[name.counter] = QuotaStanding(
                        counter: name.counter,
                        subject: subject,
                        period: counter.period,
                        end: counter.end,
                        count: counter.used
                    )
                }
            }
        }
        return found.values.filter { $0.end.map { $0 > now } ?? true }.sorted { $0.counter < $1.counter }
    }

    /// Lets a counter go on from a number; durable when it returns.
    package func replace(_ standing: QuotaStanding) async throws {
        try await ledger.replace(standing)
        let kept = CounterKey.kept(standing.subject)
        for cell in cells {
            cell.state.withLock { shard in
                for (name, counter) in shard.counters
                where name.counter == standing.counter && (name.subject == kept || name.subject == standing.subject)
                    && counter.counts((standing.period, standing.end)) && counter.reserved != nil
                {
                    shard.counters[name]?.used = standing.count
                    shard.counters[name]?.reserved = standing.count
                }
            }
        }
    }

    private static func period(_ window: QuotaWindow, _ now: Int64) -> (start: Int64, end: Int64?) {
        let length = Int64(window.period)
        guard length > 0 else { return (window.firstPeriod, nil) }
        let (quotient, remainder) = (now - window.firstPeriod).quotientAndRemainder(dividingBy: length)
        let start = window.firstPeriod + (remainder < 0 ? quotient - 1 : quotient) * length
        return (start, start + length)
    }
}
