package import ResourceModel

/// Keeps resources, their secrets and the order of their changes; durable before it answers.
///
/// Written for more than one implementation: Tests/StoreTests has the conformance suite that each must pass.
package protocol ResourceStore: Sendable {
    func get(_ id: ResourceID) async throws -> Resource?

    /// The children of one type word below a parent, by key, after a key.
    func list(_ query: ResourceQuery) async throws -> [Resource]

    func count(_ query: ResourceQuery) async throws -> Int

    /// The value of the query's order that a resource has: with its key the place where a page ended.
    func orderValue(_ query: ResourceQuery, _ id: ResourceID) async throws -> String

    /// Does all writes or none, in one transaction.
    ///
    /// - Returns: the resources that were put, in the order of the writes.
    /// - Throws: `StoreError` naming the write whose condition does not hold.
    func apply(_ writes: [ResourceWrite]) async throws -> [Resource]

    /// Changes in the order of their commits.
    func changes(since sequence: Int64, limit: Int) async throws -> [ResourceChange]

    func lastSequence() async throws -> Int64

    /// The flat columns of every resource of a full type (`apis/operations`), without documents.
    func index(type: String) async throws -> [IndexEntry]

    /// The flat columns of the children of one type word below a parent, by key, without documents.
    func index(type: String, parent: ResourceID) async throws -> [IndexEntry]

    /// The flat columns of one resource.
    func indexEntry(_ id: ResourceID) async throws -> IndexEntry?

    /// Ciphertexts of a resource by slot.
    func secrets(_ id: ResourceID) async throws -> [String: [UInt8]]

    /// Keyed hashes of every secret of a full type that has one.
    func keyHashes(type: String) async throws -> [KeyHashEntry]

    /// Keyed hashes of one resource.
    func keyHashes(_ id: ResourceID) async throws -> [KeyHashEntry]

    /// A resource with all below it, parents first.
    func tree(_ id: ResourceID) async throws -> [Resource]

    /// Everything of these full types with the secrets that it has, parents first, as it was at one moment.
    func documents(types: [String]) async throws -> [StoredDocument]

    /// Everything there is at one moment, in a store of its own that nobody else sees and that ends with its last holder.
    func copy() async throws -> any ResourceStore

    /// The resources of a full type with this value in the first flat column.
    func find(type: String, value: String) async throws -> [IndexEntry]

    /// Who changed what, in the order of the commits, after a place in it.
    func audit(since sequence: Int64, limit: Int) async throws -> [AuditEntry]
}

/// A resource, and which secrets it has.
package struct StoredDocument: Sendable {
    package let resource: Resource
    package let slots: Set<String>

    package init(resource: Resource, slots: Set<String>) {
        self.resource = resource
        self.slots = slots
    }
}

/// A change with who made it and when.
package struct AuditEntry: Sendable, Equatable {
    package let change: ResourceChange
    /// Milliseconds since 1970.
    package let time: Int64
    package let actor: String

    package init(change: ResourceChange, time: Int64, actor: String) {
        self.change = change
        self.time = time
        self.actor = actor
    }
}

/// Who is changing resources, for the record of changes: doors say it around what they do for a caller.
package enum ChangeActor {
    @TaskLocal package static var current = "system"
}

/// Which children to list.
package struct ResourceQuery: Sendable {
    package var parent: ResourceID
    /// The last type word, as `operations`.
    package var type: String
    /// Matches of flat columns: column and exact value.
    package var matches: [(column: Int, value: String)] = []
    package var filter: ODataFilter?
    /// By what the list is ordered before the key; nil for the key alone.
    package var order: Order?
    /// Only what stands behind this place in the order.
    package var after: Place?
    package var offset = 0
    package var limit: Int

    package struct Order: Sendable {
        package let field: ODataFilter.Field
        package let isDescending: Bool

        package init(field: ODataFilter.Field, isDescending: Bool) {
            self.field = field
            self.isDescending = isDescending
        }
    }

    /// Where a page ended.
    package struct Place: Sendable {
        /// What the last resource is ordered by; empty without an order.
        package let value: String
        package let key: String

        package init(value: String, key: String) {
            self.value = value
            self.key = key
        }
    }

    package init(parent: ResourceID, type: String, limit: Int) {
        self.parent = parent
        self.type = type
        self.limit = limit
    }
}

/// One write of a batch.
package struct ResourceWrite: Sendable {
    package enum Action: Sendable {
        /// - Parameter index: the flat columns, at most `ResourceWrite.indexColumns`.
        case put(properties: JSONObject, index: [String?], secrets: [SecretWrite])
        /// Takes the children with it.
        case delete
    }

    package enum Condition: Sendable, Equatable {
        case none
        /// If-Match: *.
        case exists
        /// If-None-Match: *.
        case absent
        case etag(String)
    }

    /// What must hold beside the resource's own condition.
    package enum Requirement: Sendable {
        case exists(ResourceID)
        /// No other resource of the type has this value in this flat column.
        case unique(type: String, column: Int, value: String, field: String)
        /// No child of these type words is there.
        case noChildren([String])
        /// Nothing at all was changed since this place in the order of changes; else it is as if the etag were another.
        case unchanged(since: Int64)
        /// Fewer than so many others of the type have these values in these flat columns, one of several in each.
        case fewer(than: Int, type: String, matches: [(column: Int, values: [String])], field: String)
    }

    package static let indexColumns = 6

    package var id: ResourceID
    package var action: Action
    package var condition = Condition.none
    package var requirements: [Requirement] = []

    package init(_ id: ResourceID, _ action: Action, condition: Condition = .none, requirements: [Requirement] = []) {
        self.id = id
        self.action = action
        self.condition = condition
        self.requirements = requirements
    }
}

/// A secret of a resource: what the box made of it, and the keyed hash it is found by, if it is one to be found by.
package struct SecretWrite: Sendable {
    package let slot: String
    package let ciphertext: [UInt8]
    package let hash: [UInt8]?

    package init(slot: String, ciphertext: [UInt8], hash: [UInt8]?) {
        self.slot = slot
        self.ciphertext = ciphertext
        self.hash = hash
    }
}

package struct ResourceChange: Sendable, Equatable {
    package let sequence: Int64
    package let id: ResourceID
    package let isDeletion: Bool
}

package struct IndexEntry: Sendable, Equatable {
    package let id: ResourceID
    package let columns: [String?]
    package let sequence: Int64
}

package struct KeyHashEntry: Sendable, Equatable {
    package let id: ResourceID
    package let slot: String
    package let hash: [UInt8]
}

/// Why the store did not do what it was asked.
package enum StoreError: Error, Sendable, Equatable {
    case notFound(ResourceID)
    case etagMismatch(ResourceID)
    case alreadyExists(ResourceID)
    case missingReference(ResourceID)
    case notUnique(field: String, value: String)
    case hasChildren(ResourceID)
    /// As many are there as there may be.
    case tooMany(field: String, max: Int)
    /// Too many writes wait already.
    case overloaded
    /// The item of the work queue was ended, or is another's.
    case claimLost
    /// The database file is of a newer version than this program.
    case newerSchema(found: Int)
    case notDurable(String)
}
