import NIOCore
import Synchronization

/// Answers that `cache-store` kept, shared by all loops; lost with the process.
///
/// Bounded in bytes: when there is no room, what nobody asked for since it was last looked at goes first.
package final class ResponseCache: Sendable {
    /// The contract's bound of one answer, head and body.
    package static let answerBytesMax = 2 << 20
    private static let shardCount = 16
    /// What an entry costs beside its bytes.
    private static let entryCost = 512

    /// An answer as it goes out: its head without fields of the hop, and its body.
    package struct Answer: Sendable {
        let source: WireResponseSource
        let body: [UInt8]

        package init(source: WireResponseSource, body: [UInt8]) {
            self.source = source
            self.body = body
        }
    }

    private struct Entry {
        let answer: Answer
        let cost: Int
        /// Nanoseconds of the clock that only goes on.
        let end: UInt64
        var wasUsed = false
    }

    private struct Shard {
        var entries: [String: Entry] = [:]
        /// Keys in the order in which they are looked at for room; those before `first` are gone.
        var order: [String] = []
        var first = 0
        var bytes = 0
    }

    private final class Cell: Sendable {
        let state = Mutex(Shard())
    }

    private let cells = (0..<ResponseCache.shardCount).map { _ in Cell() }
    private let shardBytesMax: Int

    /// - Parameter bytesMax: of all answers together.
    package init(bytesMax: Int) { shardBytesMax = bytesMax / ResponseCache.shardCount }

    package func find(_ key: String, now: UInt64) -> (answer: Answer, secondsLeft: Int)? {
        cell(key).state.withLock { shard in
            guard let entry = shard.entries[key] else { return nil }
            guard entry.end > now else {
                shard.entries[key] = nil
                shard.bytes -= entry.cost
                return nil
            }
            shard.entries[key]?.wasUsed = true
            return (entry.answer, Int((entry.end - now) / 1_000_000_000))
        }
    }

    package func insert(_ key: String, _ answer: Answer, end: UInt64, now: UInt64) {
        let size = answer.source.head.readableBytes + answer.body.count
        let cost = size + key.utf8.count * 2 + ResponseCache.entryCost
        guard size <= ResponseCache.answerBytesMax, cost <= shardBytesMax else { return }
        cell(key).state.withLock { shard in
            if let before = shard.entries.updateValue(Entry(answer: answer, cost: cost, end: end), forKey: key) {
                shard.bytes -= before.cost
            } else {
                shard.order.append(key)
            }
            shard.bytes += cost
            ResponseCache.makeRoom(&shard, shardBytesMax, now)
        }
    }

    private static func makeRoom(_ shard: inout Shard, _ bytesMax: Int, _ now: UInt64) {
        while shard.bytes > bytesMax || shard.order.count - shard.first > 2 * shard.entries.count + 64 {
            guard shard.first < shard.order.count else { break }
            let key = shard.order[shard.first]
            shard.first += 1
            guard let entry = shard.entries[key] else { continue }
            if entry.wasUsed, entry.end > now {
                shard.entries[key]?.wasUsed = false
                shard.order.append(key)
            } else if shard.bytes > bytesMax || entry.end <= now {
                shard.entries[key] = nil
                shard.bytes -= entry.cost
            } else {
                shard.order.append(key)
            }
        }
        if shard.first > 4096, shard.first * 2 > shard.order.count {
            shard.order.removeFirst(shard.first)
            shard.first = 0
        }
    }

    private func cell(_ key: String) -> Cell { cells[abs(key.hashValue % ResponseCache.shardCount)] }

    /// Bytes that the kept answers are counted as.
    package var bytes: Int { cells.reduce(0) { $0 + $1.state.withLock { $0.bytes } } }
}
