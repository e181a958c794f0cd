package import Logging
package import Store
package import Telemetry

/// Takes what loops hand on, adds it up by minute and writes it; runs in the background, once a second.
package actor FactWriter {
    /// Roll-ups that are kept while the store cannot write: some hundred bytes each.
    private static let rowsMax = 200_000
    /// Single calls that are kept while the store cannot write.
    private static let requestsWaitingMax = 10_000
    /// Seconds for which a late turn takes single calls.
    private static let secondsOfDetailsMax: Int64 = 10
    /// Turns between two looks for what is too old.
    private static let turnsBetweenForgetting = 60
    /// Turns between two looks whether an hour is over.
    private static let turnsBetweenFolding = 30

    /// How long facts are kept.
    package struct Retention: Sendable {
        /// Of roll-ups.
        package var usageDays: Int64
        /// Of single calls.
        package var requestDays: Int64
        package var requestsMax: Int

        package init(usageDays: Int64, requestDays: Int64, requestsMax: Int) {
            self.usageDays = usageDays
            self.requestDays = requestDays
            self.requestsMax = requestsMax
        }
    }

    private struct Key: Hashable {
        let minute: Int64
        let subject: UsageSubject
    }

    private struct Entry {
        let key: Key
        let run: Int64
        var totals: UsageTotals
        var isWritten = false
    }

    private let inbox: FactInbox
    private let store: any FactStore
    private let metrics: MetricsRegistry
    private let accessLog: AccessLog?
    private let retention: Retention
    private let logger: Logger
    /// Tells rows of this process from those of an earlier one, and of a minute that was closed too early.
    private var run: Int64
    private var entries: [Entry] = []
    /// Where entries stand: each thing that comes is looked up once, and its texts are hashed once.
    private var places: [Key: Int] = [:]
    private var requests: [RequestRow] = []
    private var turns = 0
    /// When the last turn began, in milliseconds since 1970.
    private var lastTurn: Int64
    /// Whether there is more to add up to hours and days.
    private var isFolding = false
    /// Whether the last write failed.
    package private(set) var isFailing = false

    /// - Parameter now: milliseconds since 1970; rows of this process are told from others' by it.
    package init(
        inbox: FactInbox,
        store: any FactStore,
        metrics: MetricsRegistry,
        accessLog: AccessLog?,
        retention: Retention,
        now: Int64,
        logger: Logger
    ) {
        self.inbox = inbox
        self.store = store
        self.metrics = metrics
        self.accessLog = accessLog
        self.retention = retention
        self.logger = logger
        run = now
        lastTurn = now
    }

    /// Writes what has come; what cannot be written is tried again the next time.
    ///
    /// - Parameter now: milliseconds since 1970.
    package func turn(now: Int64) async {
        var batches = inbox.takeAll()
        let seconds = min(max(1, (now - lastTurn + 500) / 1000), FactWriter.secondsOfDetailsMax)
        lastTurn = now
        FactBatch.thinOut(&batches, to: FactRecorder.detailsMax * Int(seconds))
        for batch in batches {
            metrics.take(batch)
            if let accessLog {
                let lost = accessLog.write(batch.logged, missing: batch.unlogged)
                if lost > 0 { metrics.linesWereLost(lost) }
            }
            take(batch)
        }
        await write()
        close(before: now / 60_000 - 1)
        turns += 1
        if turns % FactWriter.turnsBetweenForgetting == 1 { await forget(now) }
        // Only what is written whole is added up: after a failure the minutes come first.
        if !isFailing, isFolding || turns % FactWriter.turnsBetweenFolding == 1 { await fold(now) }
    }

    private func fold(_ now: Int64) async {
        do {
            isFolding = try await store.fold(now: now / 60_000)
        } catch {
            isFolding = false
            logger.warning("usage could not be added up", metadata: ["error.code": "\(error)"])
        }
    }

    private func take(_ batch: FactBatch) {
        for item in batch.usage {
            let key = Key(minute: item.minute, subject: item.subject)
            guard let place = places[key] else {
                guard entries.count < FactWriter.rowsMax else {
                    metrics.factsWereLost(Int(item.totals.calls))
                    continue
                }
                places[key] = entries.count
                entries.append(Entry(key: key, run: run, totals: item.totals))
                continue
            }
            entries[place].totals.merge(item.totals)
            entries[place].isWritten = false
        }
        let room = max(0, FactWriter.requestsWaitingMax - requests.count)
        for event in batch.details.prefix(room) {
            let (method, url) = RequestText.words(event)
            requests.append(RequestRow(event: event, method: method, url: url))
        }
    }

    private func write() async {
        let unwritten = entries.indices.filter { !entries[$0].isWritten }
        let rows = unwritten.map { place in
            let entry = entries[place]
            return UsageRow(minute: entry.key.minute, run: entry.run, subject: entry.key.subject, totals: entry.totals)
        }
        let waiting = requests
        requests = []
        guard !rows.isEmpty || !waiting.isEmpty else { return }
        do {
            try await store.write(rows, waiting)
            // Turns do not overlap: nothing came in between.
            for place in unwritten { entries[place].isWritten = true }
            isFailing = false
        } catch {
            if !isFailing { logger.error("facts could not be written", metadata: ["error.code": "\(error)"]) }
            isFailing = true
            requests = waiting
        }
    }

    /// Lets go of minutes that are over and written.
    private func close(before minute: Int64) {
        guard entries.contains(where: { $0.key.minute < minute && $0.isWritten }) else { return }
        entries.removeAll { $0.key.minute < minute && $0.isWritten }
        places = Dictionary(uniqueKeysWithValues: entries.indices.map { (entries[$0].key, $0) })
        // Counts that come late for a closed minute get a row of their own.
        run += 1
    }

    private func forget(_ now: Int64) async {
        do {
            try await store.forget(
                usageBefore: now / 60_000 - retention.usageDays * 1440,
                requestsBefore: now - retention.requestDays * 86_400_000,
                requestsMax: retention.requestsMax
            )
        } catch {
            logger.warning("old facts could not be removed", metadata: ["error.code": "\(error)"])
        }
    }
}
