import Gateway
import Logging
import Management
import Policies
import ResourceModel
import Store

/// The compiled policy documents of an instance, kept up with its changes.
///
/// Changes that would break a document are refused where they are made; one that is found broken all the same is reported, stays in
/// force as it was, and fails its calls where it never was: what it forbade must not be let through.
struct PolicyDocuments {
    private let store: any ResourceStore
    private let secret: @Sendable (ResourceID, String) async throws -> String?
    private let logger: Logger
    private(set) var book = PolicyBook()
    /// Documents that are compiled anew where a named value or a fragment changes.
    private var followers: [PolicyBook.Owner: ResourceID] = [:]

    init(
        store: any ResourceStore,
        secret: @Sendable @escaping (ResourceID, String) async throws -> String?,
        logger: Logger
    ) {
        self.store = store
        self.secret = secret
        self.logger = logger
    }

    /// The same with all documents compiled anew.
    func reloaded() async throws -> PolicyDocuments {
        var ids: [ResourceID] = []
        for type in ResourceType.policies { ids += try await store.index(type: type.path).map(\.id) }
        return try await loading(ids)
    }

    /// The same, up to date with these changed resources.
    func updated(_ changed: [ResourceID]) async throws -> PolicyDocuments {
        let types = Set(changed.map { $0.type.lowercased() })
        var touched = changed.filter { $0.segments.dropLast().last?.lowercased() == "policies" }
        if types.contains("namedvalues") || types.contains("policyfragments") { touched += followers.values }
        return touched.isEmpty ? self : try await loading(touched)
    }

    private func loading(_ ids: [ResourceID]) async throws -> PolicyDocuments {
        var surroundings = try await PolicyRules.surroundings(store, secret)
        var result = self
        for id in ids {
            let resource = try await store.get(id)
            surroundings.operation =
                Self.mayRewrite(resource) ? try await PolicyRules.operation(of: id, store) : nil
            result.take(id, resource, surroundings)
        }
        return result
    }

    /// Whether a document may name parameters of its operation, which is read for those alone.
    private static func mayRewrite(_ resource: Resource?) -> Bool {
        guard let text = resource?.properties["value"]?.string else { return false }
        return text.contains("rewrite-uri") || text.contains("include-fragment")
    }

    private mutating func take(_ id: ResourceID, _ resource: Resource?, _ surroundings: PolicySurroundings) {
        guard let owner = PolicyDocuments.owner(id) else { return }
        defer { followers[owner] = book[owner]?.followsOthers == true ? id : nil }
        guard let resource else {
            book[owner] = nil
            return
        }
        do throws(PolicyDiagnostic) {
            book[owner] = try PolicyRules.document(id, resource.properties, surroundings)
        } catch {
            book[owner] = book[owner] ?? .unusable(scope: PolicyRules.scope(id))
            logger.error(
                "policy document could not be compiled",
                metadata: ["policy.id": "\(id)", "error.code": "line \(error.line), column \(error.column)"]
            )
        }
    }

    /// Whose a document is that stands at `…/policies/policy`.
    private static func owner(_ id: ResourceID) -> PolicyBook.Owner? {
        let segments = id.segments.map { $0.lowercased() }
        return switch (segments.count, segments.first) {
        case (2, _): .service
        case (4, "products"): .product(segments[1])
        case (4, _): .api(segments[1])
        case (6, _): .operation(api: segments[1], segments[3])
        default: nil
        }
    }

    // MARK: - What went with its owner

    /// - Parameter operations: those that the API has, in lower case; nil where the API itself is gone.
    mutating func forget(api: String, keeping operations: Set<String>?) { book.forget(api: api, keeping: operations) }

    mutating func forget(product: String) { book[.product(product)] = nil }
}
