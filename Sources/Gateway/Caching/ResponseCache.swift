import NIOCore
package import Policies
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
        package let source: WireResponseSource
        package let body: [UInt8]

        package init(source: WireResponseSource, body: [UInt8]) {
            self.source = source
            self.body = body
        }
    }

    /// Where an answer is kept.
    package struct Place: Sendable {
        /// What cache-lookup asks by.
        fileprivate let key: CacheKey
        /// The fields of the request that the answer is told apart by beside it, and the key with their values; none for most.
        fileprivate let varying: (names: [String], key: CacheKey)?

        /// - Parameter names: that the answer's `Vary` names, in lower case and sorted.
        /// - Returns: nil where the request could not be told from others.
        package init?(_ request: CacheRequest, varyingBy names: [String]) {
            key = request.key
            guard !names.isEmpty else {
                varying = nil
                return
            }
            guard let whole = request.key(varyingBy: names) else { return nil }
            varying = (names, whole)
        }
    }

    private enum Content {
        case answer(Answer)
        /// Answers are kept by these fields of the request, too: those that the last one's `Vary` named.
        case varying([String])
    }

    private struct Entry {
        let content: Content
        let cost: Int
        /// Nanoseconds of the clock that only goes on.
        let start: UInt64
        let end: UInt64
        var wasUsed = false
    }

    private struct Shard {
        var entries: [CacheKey: Entry] = [:]
        /// Keys in the order in which they are looked at for room; those before `first` are gone.
        var order: [CacheKey] = []
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

    package func find(_ request: CacheRequest, now: UInt64) -> (answer: Answer, secondsKept: Int, secondsLeft: Int)? {
        guard var entry = entry(request.key, now) else { return nil }
        if case .varying(let names) = entry.content {
            guard let key = request.key(varyingBy: names), let found = self.entry(key, now) else { return nil }
            entry = found
        }
        guard case .answer(let answer) = entry.content else { return nil }
        return (answer, Int((now - entry.start) / 1_000_000_000), Int((entry.end - now) / 1_000_000_000))
    }

    private func entry(_ key: CacheKey, _ now: UInt64) -> Entry? {
        cell(key).state.withLock { shard in
            guard let entry = shard.entries[key] else { return nil }
            guard entry.end > now, entry.start <= now else {
                shard.entries[key] = nil
                shard.bytes -= entry.cost
                return nil
            }
            shard.entries[key]?.wasUsed = true
            return entry
        }
    }

    package func insert(_ answer: Answer, at place: Place, end: UInt64, now: UInt64) {
        let size = answer.source.head.readableBytes + answer.body.count
        guard size <= ResponseCache.answerBytesMax else { return }
        guard let (names, key) = place.varying else {
            return insert(.answer(answer), size, at: place.key, end: end, now: now)
        }
        let namesSize = names.reduce(0) { $0 + $1.utf8.count }
        insert(.varying(names), namesSize, at: place.key, end: end, now: now)
        insert(.answer(answer), size, at: key, end: end, now: now)
    }

    private func insert(_ content: Content, _ size: Int, at key: CacheKey, end: UInt64, now: UInt64) {
        let cost = size + key.text.utf8.count * 2 + ResponseCache.entryCost
        guard cost <= shardBytesMax else { return }
        cell(key).state.withLock { shard in
            var end = end
            if case .varying(let names) = content, let before = shard.entries[key],
                case .varying(names) = before.content
            {
                // Answers that are good for longer are found for as long.
                end = max(end, before.end)
            }
            let entry = Entry(content: content, cost: cost, start: now, end: end)
            if let before = shard.entries.updateValue(entry, forKey: key) {
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

    private func cell(_ key: CacheKey) -> Cell { cells[abs(key.hashValue % ResponseCache.shardCount)] }

    /// Bytes that the kept answers are counted as.
    package var bytes: Int { cells.reduce(0) { $0 + $1.state.withLock { $0.bytes } } }
}
