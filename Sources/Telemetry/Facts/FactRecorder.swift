/// Adds up what happens on one event loop; used on that loop only.
///
/// A call costs a look-up and some additions here. Every second the owner hands what came together to the inbox, and the
/// background goes on with it.
package final class FactRecorder {
    /// Subjects that one loop keeps at a time: beyond, they are forgotten, and added up anew when they come.
    private static let cellsMax = 1 << 16
    /// Calls a second that are written down singly: what SQLite takes beside everything else, with room.
    ///
    /// A loop hands on as many, as it may be the only one with calls; the writer draws from those of all loops.
    package static let detailsMax = 200
    /// Values of `emit-metric` that wait on one loop: a second of the most that a loop answers.
    private static let samplesMax = 1 << 16
    /// Subjects that are handed on in one turn of the loop: each costs some 2 µs, and callers wait meanwhile.
    private static let subjectsPerTurn = 128
    /// Subjects, and lines of the access log, that go on together: more in one piece would be copied for milliseconds as it grows.
    private static let partsPerBatch = 4096
    /// Between two turns that hand on: what came in meanwhile is seen to first.
    package static let pauseMilliseconds: Int64 = 1

    /// The calls of a subject on this loop since they were handed on.
    package final class Cell {
        // What every call adds to stands first, so that it waits for few lines of memory.
        fileprivate var isTouched = false
        /// That the totals are of, since 1970.
        fileprivate var minute: Int64 = 0
        fileprivate var totals = UsageTotals()
        package let subject: UsageSubject
        /// The query parameter that holds the subscription key in these calls; empty for none.
        package let keyParameter: [UInt8]
        /// The same subject by the places that calls come from.
        fileprivate var byPlace: [Int: Cell] = [:]

        fileprivate init(_ subject: UsageSubject, keyParameter: [UInt8] = []) {
            self.subject = subject
            self.keyParameter = keyParameter
        }

        /// The totals, which begin anew.
        fileprivate func takeTotals() -> UsageTotals {
            var taken = UsageTotals()
            swap(&taken, &totals)
            return taken
        }
    }

    /// What a cell is found by: objects of the snapshot.
    private struct Key: Hashable {
        let operation: ObjectIdentifier
        let subscription: ObjectIdentifier?
    }

    private let inbox: FactInbox
    private let logsRequests: Bool
    private var cells: [Key: Cell] = [:]
    private var touched: [Cell] = []
    /// Those of the second before that are not handed on yet.
    private var leaving: [Cell] = []
    private var batch = FactBatch()
    private var seen = 0
    /// Draws the calls that are kept; the system's own numbers cost a call of the kernel each.
    private var draws = UInt64.random(in: 1...UInt64.max)
    private let unmatched = Cell(.unmatched)
    /// Where addresses are; nil where nobody told.
    private let places: AddressPlaces?
    private var placeCells = 0

    /// - Parameters:
    ///   - logsRequests: whether every call is wanted singly, for the access log.
    ///   - places: where addresses are, for the report by place.
    package init(inbox: FactInbox, logsRequests: Bool, places: AddressPlaces? = nil) {
        self.inbox = inbox
        self.logsRequests = logsRequests
        self.places = places
    }

    /// The cell of a subject's calls from where an address is; the cell itself where that is not known.
    ///
    /// - Parameter address: the caller's, as text.
    package func placed(_ cell: Cell, _ address: @autoclosure () -> [UInt8]) -> Cell {
        guard let places, let (number, place) = places.place(of: address()) else { return cell }
        if let known = cell.byPlace[number] { return known }
        // Beyond, calls are counted without their place.
        guard placeCells < FactRecorder.cellsMax else { return cell }
        placeCells += 1
        let made = Cell(cell.subject.at(place), keyParameter: cell.keyParameter)
        cell.byPlace[number] = made
        return made
    }

    /// The cell of an operation and a subscription.
    ///
    /// - Parameters:
    ///   - operation: an object that lives until `forgetCells`.
    ///   - subscription: likewise; nil for none.
    ///   - keyParameter: the query parameter that holds the subscription key.
    package func cell(
        operation: AnyObject,
        subscription: AnyObject?,
        keyParameter: [UInt8],
        subject: () -> UsageSubject
    ) -> Cell {
        let key = Key(operation: ObjectIdentifier(operation), subscription: subscription.map { ObjectIdentifier($0) })
        if let known = cells[key] { return known }
        let cell = Cell(subject(), keyParameter: keyParameter)
        cells[key] = cell
        return cell
    }

    package var unmatchedCell: Cell { unmatched }

    /// Whether there are as many cells as there should be: then they are to be forgotten before there is another one.
    package var isFull: Bool { cells.count >= FactRecorder.cellsMax }

    /// The objects that cells are found by are about to go; what was counted stays.
    ///
    /// - Returns: what is forgotten, for whoever frees it where nobody waits.
    package func forgetCells() -> Any {
        let forgotten = cells
        // As many are likely to come again: growing step by step would hold callers up for as many at a time.
        cells = Dictionary(minimumCapacity: forgotten.count)
        unmatched.byPlace = [:]
        placeCells = 0
        return forgotten
    }

    /// - Parameters:
    ///   - seconds: the time, since 1970.
    ///   - method: for the metrics.
    ///   - event: called only where the call is written down singly.
    package func record(
        _ cell: Cell,
        seconds: Int64,
        status: Int,
        method: HTTPMetrics.Method,
        requestBytes: Int,
        responseBytes: Int,
        microseconds: Int64,
        serviceMicroseconds: Int64?,
        cache: CacheOutcome,
        event: () -> RequestEvent
    ) {
        let minute = seconds / 60
        if cell.minute != minute {
            if cell.isTouched { seal(cell) }
            cell.minute = minute
        }
        cell.totals.add(
            status: status,
            bytes: requestBytes &+ responseBytes,
            microseconds: microseconds,
            serviceMicroseconds: serviceMicroseconds,
            cache: cache
        )
        if !cell.isTouched {
            cell.isTouched = true
            touched.append(cell)
        }
        batch.metrics.add(method: method, status: status, microseconds: microseconds)
        seen &+= 1
        var made: RequestEvent?
        if logsRequests {
            let event = event()
            batch.logged.append(event)
            made = event
            if batch.logged.count >= FactRecorder.partsPerBatch { push(\.logged) }
        }
        if batch.details.count < FactRecorder.detailsMax {
            batch.details.append(made ?? event())
        } else {
            // Each call of the second has the same chance to be among those that are kept.
            draws ^= draws << 13
            draws ^= draws >> 7
            draws ^= draws << 17
            let place = Int(draws % UInt64(seen))
            if place < FactRecorder.detailsMax { batch.details[place] = made ?? event() }
        }
    }

    /// Adds to a metric of policies.
    package func emit(_ sample: MetricSample) {
        if batch.samples.count < FactRecorder.samplesMax {
            batch.samples.append(sample)
        } else {
            batch.lostSamples += 1
        }
    }

    /// Hands on all that came together.
    package func handOn() {
        while !handOnSome() {}
    }

    /// Hands on what came together, as much as a turn of the loop should take; called every second.
    ///
    /// - Returns: whether that was all; otherwise to be called again after a pause.
    package func handOnSome() -> Bool {
        if leaving.isEmpty { swap(&leaving, &touched) }
        for cell in leaving.suffix(FactRecorder.subjectsPerTurn) {
            cell.isTouched = false
            seal(cell)
        }
        leaving.removeLast(min(leaving.count, FactRecorder.subjectsPerTurn))
        guard leaving.isEmpty else {
            if batch.usage.count >= FactRecorder.partsPerBatch { push(\.usage) }
            return false
        }
        batch.seen = seen
        let kept = batch.details.count
        if seen > kept, kept > 0 {
            let weight = max(1, Int((Double(seen) / Double(kept)).rounded()))
            for place in batch.details.indices { batch.details[place].weight = weight }
        }
        guard batch.seen > 0 || !batch.usage.isEmpty || !batch.samples.isEmpty || batch.lostSamples > 0 else {
            return true
        }
        inbox.push(batch)
        batch = FactBatch()
        seen = 0
        return true
    }

    /// Hands on one part of the batch by itself.
    private func push<Part>(_ part: WritableKeyPath<FactBatch, [Part]>) {
        var batch = FactBatch()
        swap(&batch[keyPath: part], &self.batch[keyPath: part])
        inbox.push(batch)
    }

    private func seal(_ cell: Cell) {
        batch.usage.append(FactBatch.Usage(minute: cell.minute, subject: cell.subject, totals: cell.takeTotals()))
    }
}
