import ResourceModel
import Store
import Synchronization

/// A copy of the store on which changes are tried, and that remembers them in their order.
final class RecordingStore: ResourceStore {
    private let copy: any ResourceStore
    private let recorded = Mutex<[ResourceWrite]>([])

    init(_ copy: any ResourceStore) { self.copy = copy }

    /// What was written, without conditions: they held, and hold again where nothing else was changed.
    var writes: [ResourceWrite] { recorded.withLock { $0 } }

    func apply(_ writes: [ResourceWrite]) async throws -> [Resource] {
        let done = try await copy.apply(writes)
        recorded.withLock { recorded in recorded += writes.map { ResourceWrite($0.id, $0.action) } }
        return done
    }

    func get(_ id: ResourceID) async throws -> Resource? { try await copy.get(id) }
    func list(_ query: ResourceQuery) async throws -> [Resource] { try await copy.list(query) }
    func count(_ query: ResourceQuery) async throws -> Int { try await copy.count(query) }
    func orderValue(_ query: ResourceQuery, _ id: ResourceID) async throws -> String {
        try await copy.orderValue(query, id)
    }
    func changes(since sequence: Int64, limit: Int) async throws -> [ResourceChange] {
        try await copy.changes(since: sequence, limit: limit)
    }
    func lastSequence() async throws -> Int64 { try await copy.lastSequence() }
    func index(type: String) async throws -> [IndexEntry] { try await copy.index(type: type) }
    func index(type: String, parent: ResourceID) async throws -> [IndexEntry] {
        try await copy.index(type: type, parent: parent)
    }
    func indexEntry(_ id: ResourceID) async throws -> IndexEntry? { try await copy.indexEntry(id) }
    func secrets(_ id: ResourceID) async throws -> [String: [UInt8]] { try await copy.secrets(id) }
    func keyHashes(type: String) async throws -> [KeyHashEntry] { try await copy.keyHashes(type: type) }
    func keyHashes(_ id: ResourceID) async throws -> [KeyHashEntry] { try await copy.keyHashes(id) }
    func tree(_ id: ResourceID) async throws -> [Resource] { try await copy.tree(id) }
    func documents(types: [String]) async throws -> [StoredDocument] { try await copy.documents(types: types) }
    func copy() async throws -> any ResourceStore { try await copy.copy() }
    func find(type: String, value: String) async throws -> [IndexEntry] {
        try await copy.find(type: type, value: value)
    }
    func audit(since sequence: Int64, limit: Int) async throws -> [AuditEntry] {
        try await copy.audit(since: sequence, limit: limit)
    }
}
