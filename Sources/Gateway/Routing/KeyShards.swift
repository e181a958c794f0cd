package import Policies

/// A subscription as the gateway needs it.
package final class SubscriptionEntry: Sendable {
    package enum Scope: Sendable, Equatable {
        case service
        case allAPIs
        /// Lower case.
        case api(String)
        case product(String)
    }

    package let id: String
    package let scope: Scope
    package let isActive: Bool
    package let facts: PolicyFacts.Subscription
    /// The owner's id in lower case.
    package let owner: String?
    /// Whether its keys may ask for traces.
    package let mayTrace: Bool

    package init(
        id: String,
        scope: Scope,
        isActive: Bool,
        mayTrace: Bool = false,
        name: String = "",
        owner: String? = nil,
        startSeconds: Int64 = 0
    ) {
        self.id = id
        self.scope = scope
        self.isActive = isActive
        self.owner = owner
        self.mayTrace = mayTrace
        facts = PolicyFacts.Subscription(id: id, name: name, startSeconds: startSeconds)
    }
}

/// The keyed hash of a key: 32 bytes, compared as four words without a branch between.
package struct KeyDigest: Sendable, Hashable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    package init?(_ bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        words = bytes.withUnsafeBytes { raw in
            (
                raw.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
                raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
                raw.loadUnaligned(fromByteOffset: 16, as: UInt64.self),
                raw.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
            )
        }
    }

    var shard: Int { Int(words.0 & UInt64(KeyShards.count - 1)) }

    package static func == (left: KeyDigest, right: KeyDigest) -> Bool {
        (left.words.0 ^ right.words.0) | (left.words.1 ^ right.words.1) | (left.words.2 ^ right.words.2)
            | (left.words.3 ^ right.words.3) == 0
    }

    /// The digest is the output of a keyed hash already, so that a word of it serves.
    package func hash(into hasher: inout Hasher) { hasher.combine(words.1) }
}

/// All keys, cut into shards, so that a change copies one shard and shares the rest with the snapshot before.
package struct KeyShards: Sendable {
    /// 100,000 subscriptions make some 400 entries a shard: a change rebuilds that many.
    static let count = 512

    private var shards: [[KeyDigest: SubscriptionEntry]]

    package init() { shards = Array(repeating: [:], count: KeyShards.count) }

    package subscript(digest: KeyDigest) -> SubscriptionEntry? {
        get { shards[digest.shard][digest] }
        set { shards[digest.shard][digest] = newValue }
    }
}
