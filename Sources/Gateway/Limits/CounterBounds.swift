import Crypto
import Policies
import Synchronization

/// How many counters each policy has for each subscription, where callers choose whom it counts: who sends a new key with every call
/// fills neither memory nor disk, and takes no counter from the callers of another policy or subscription.
final class CounterBounds: Sendable {
    /// A power of two; asked only where a counter comes or goes.
    private static let shardCount = 64

    private struct Shard {
        var counts: [CounterHolder: Int] = [:]
        /// Those that had no room since somebody asked.
        var full: Set<CounterHolder> = []
    }

    private final class Cell: Sendable {
        let shard = Mutex(Shard())
    }

    private let countersMax: Int
    private let cells = (0..<CounterBounds.shardCount).map { _ in Cell() }

    /// - Parameter countersMax: of each holder.
    init(countersMax: Int) { self.countersMax = countersMax }

    private func cell(_ holder: CounterHolder) -> Cell {
        cells[holder.hashValue & (CounterBounds.shardCount - 1)]
    }

    /// Takes room for one more counter.
    ///
    /// - Parameter isKept: false only asks.
    /// - Returns: whether there was some; it must be given back by `leave`.
    func enter(_ holder: CounterHolder, isKept: Bool = true) -> Bool {
        cell(holder).shard.withLock { shard in
            let count = shard.counts[holder, default: 0]
            guard count < countersMax else {
                shard.full.insert(holder)
                return false
            }
            if isKept { shard.counts[holder] = count + 1 }
            return true
        }
    }

    func leave(_ holder: CounterHolder) {
        cell(holder).shard.withLock { shard in
            let count = shard.counts[holder, default: 0]
            shard.counts[holder] = count > 1 ? count - 1 : nil
        }
    }

    /// Those that had no room since this was asked before.
    func takeFull() -> [CounterHolder] {
        cells.flatMap { cell in
            cell.shard.withLock { shard in
                defer { shard.full = [] }
                return Array(shard.full)
            }
        }
    }
}

/// Keys of counters as they are kept.
package enum CounterKey {
    /// Bytes of a key that stands as it is in memory: names, addresses and usual tokens of sessions.
    ///
    /// It is shorter than a digest is written, so that no key can be chosen that stands for another's.
    private static let bytesMax = 64

    /// The key itself, or the digest of a long one.
    package static func kept(_ key: String) -> String { key.utf8.count > bytesMax ? digest(key) : key }

    /// A key as it may lie on the disk: what a policy counts by may be a caller's secret, as a token is.
    ///
    /// - Parameter key: itself or as it is kept.
    package static func stored(_ key: String) -> String { isDigest(key) ? key : digest(key) }

    private static func isDigest(_ key: String) -> Bool {
        key.utf8.count == start.utf8.count + 2 * SHA256.byteCount && key.hasPrefix(start)
    }

    private static func digest(_ key: String) -> String {
        var key = key
        let digest = key.withUTF8 { SHA256.hash(data: UnsafeRawBufferPointer($0)) }
        var text = start
        for byte in digest {
            text.unicodeScalars.append(digits[Int(byte >> 4)])
            text.unicodeScalars.append(digits[Int(byte & 15)])
        }
        return text
    }

    private static let start = "sha256:"
    private static let digits = Array("0123456789abcdef".unicodeScalars)
}
