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
    /// By the key of the document's id.
    private var documents: [String: PolicyDocument] = [:]
    private var made: PolicyBook?

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
        if types.contains("namedvalues") || types.contains("policyfragments") { return try await reloaded() }
        let touched = changed.filter { $0.segments.dropLast().last?.lowercased() == "policies" }
        return touched.isEmpty ? self : try await loading(touched)
    }

    private func loading(_ ids: [ResourceID]) async throws -> PolicyDocuments {
        let surroundings = try await PolicyRules.surroundings(store, secret)
        var result = self
        result.made = nil
        for id in ids { result.take(id, try await store.get(id), surroundings) }
        return result
    }

    private mutating func take(_ id: ResourceID, _ resource: Resource?, _ surroundings: PolicySurroundings) {
        guard let resource else {
            documents[id.key] = nil
            return
        }
        do throws(PolicyDiagnostic) {
            documents[id.key] = try PolicyRules.document(id, resource.properties, surroundings)
        } catch {
            documents[id.key] = documents[id.key] ?? .unusable(scope: PolicyRules.scope(id))
            logger.error(
                "policy document could not be compiled",
                metadata: ["policy.id": "\(id)", "error.code": "line \(error.line), column \(error.column)"]
            )
        }
    }

    // MARK: - Samples

    /// Whether any document answers with samples of operations.
    var usesAnySamples: Bool { documents.values.contains(where: \.usesSamples) }

    /// Whether calls of an API may be answered with them.
    ///
    /// - Parameter api: in lower case.
    func usesSamples(api: String) -> Bool {
        documents.contains { key, document in
            document.usesSamples && (!key.hasPrefix("/apis/") || key.hasPrefix("/apis/\(api)/"))
        }
    }

    // MARK: - What went with its owner

    /// - Parameter operations: those that the API has, in lower case; nil where the API itself is gone.
    mutating func forget(api: String, keeping operations: Set<String>?) {
        let path = "/apis/\(api)/"
        for key in documents.keys where key.hasPrefix(path) {
            let segments = key.split(separator: "/").map(String.init)
            let isKept = segments.count == 4 ? operations != nil : operations?.contains(segments[3]) == true
            if isKept { continue }
            documents[key] = nil
            made = nil
        }
    }

    mutating func forget(product: String) {
        documents["/products/\(product)/policies/policy"] = nil
        made = nil
    }

    mutating func book() -> PolicyBook {
        if let made { return made }
        var products: [String: PolicyDocument] = [:]
        var apis: [String: PolicyDocument] = [:]
        var operations: [String: PolicyDocument] = [:]
        for (key, document) in documents {
            let segments = key.split(separator: "/").map(String.init)
            switch (segments.count, segments.first) {
            case (4, "products"): products[segments[1]] = document
            case (4, _): apis[segments[1]] = document
            case (6, _): operations["\(segments[1])/\(segments[3])"] = document
            default: break
            }
        }
        let book = PolicyBook(
            global: documents["/policies/policy"] ?? .forwarding,
            products: products,
            apis: apis,
            operations: operations
        )
        made = book
        return book
    }
}
