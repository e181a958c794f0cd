import Synchronization

/// What one loop handed on after a second.
package struct FactBatch: Sendable {
    package struct Usage: Sendable {
        /// Since 1970.
        package let minute: Int64
        package let subject: UsageSubject
        package var totals: UsageTotals
    }

    package var usage: [Usage] = []
    /// Calls that are written down singly: all, or a fair part of them.
    package var details: [RequestEvent] = []
    /// How many calls there were.
    package var seen = 0
    /// All calls, where an access log is kept.
    package var logged: [RequestEvent] = []
    /// Calls that the access log misses.
    package var unlogged = 0
    package var metrics = HTTPMetrics()
    package var samples: [MetricSample] = []
    package var lostSamples = 0

    package init() {}
}

/// Where loops leave facts for the background; nobody waits at it.
package final class FactInbox: Sendable {
    /// Batches that wait: half a minute of four loops.
    ///
    /// Beyond, counts are added to the last one and single calls are let go.
    package static let batchesMax = 128

    private let waiting = Mutex<[FactBatch]>([])

    package init() {}

    func push(_ batch: FactBatch) {
        waiting.withLock { waiting in
            guard waiting.count >= FactInbox.batchesMax, let last = waiting.indices.last else {
                return waiting.append(batch)
            }
            // Counts are never let go. Their number is bounded by the subjects that there are, once they are added up.
            waiting[last].usage = FactBatch.addedUp(waiting[last].usage + batch.usage)
            waiting[last].metrics.merge(batch.metrics)
            waiting[last].seen += batch.seen
            waiting[last].unlogged += batch.unlogged + batch.logged.count
            waiting[last].lostSamples += batch.lostSamples + batch.samples.count
        }
    }

    /// Everything that waits, the oldest first.
    package func takeAll() -> [FactBatch] {
        waiting.withLock { waiting in
            let all = waiting
            waiting = []
            return all
        }
    }
}

extension FactBatch {
    /// Leaves so many single calls in all batches together, or one more for each batch.
    ///
    /// Each call that was handed on has the same chance to stay, and those that stay stand for the others (`weight`).
    package static func thinOut(_ batches: inout [FactBatch], to count: Int) {
        let whole = batches.reduce(0) { $0 + $1.details.count }
        guard whole > count, count > 0 else { return }
        let part = Double(count) / Double(whole)
        for place in batches.indices {
            // A batch's share is rarely whole: chance decides about what is left, so that quiet loops are not always passed over.
            let kept = Int(Double(batches[place].details.count) * part + Double.random(in: 0..<1))
            batches[place].details = Array(batches[place].details.shuffled().prefix(kept))
            for detail in batches[place].details.indices {
                let weight = Double(batches[place].details[detail].weight) / part
                batches[place].details[detail].weight = Int(weight.rounded())
            }
        }
    }

    /// One entry for each minute and subject.
    package static func addedUp(_ usage: [Usage]) -> [Usage] {
        struct Key: Hashable {
            let minute: Int64
            let subject: UsageSubject
        }
        var places: [Key: Int] = [:]
        var result: [Usage] = []
        for item in usage {
            let key = Key(minute: item.minute, subject: item.subject)
            if let place = places[key] {
                result[place].totals.merge(item.totals)
            } else {
                places[key] = result.count
                result.append(item)
            }
        }
        return result
    }
}
