package import Policies

/// The policy documents of an instance, part of a snapshot: what a change does not touch is shared with the book before.
package struct PolicyBook: Sendable {
    /// Whose a document is; names in lower case.
    package enum Owner: Sendable, Hashable {
        case service
        case product(String)
        case api(String)
        case operation(api: String, String)
    }

    private struct OfAPI {
        private(set) var own: PolicyDocument?
        private(set) var operations: [String: PolicyDocument] = [:]
        /// How many of them answer with samples.
        private(set) var sampledCount = 0

        var isEmpty: Bool { own == nil && operations.isEmpty }

        mutating func replaceOwn(with document: PolicyDocument?) {
            count(own, document)
            own = document
        }

        mutating func replace(_ operation: String, with document: PolicyDocument?) {
            count(operations[operation], document)
            operations[operation] = document
        }

        private mutating func count(_ old: PolicyDocument?, _ new: PolicyDocument?) {
            if old?.usesSamples == true { sampledCount -= 1 }
            if new?.usesSamples == true { sampledCount += 1 }
        }
    }

    private var global: PolicyDocument?
    private var products: [String: PolicyDocument] = [:]
    private var apis: [String: OfAPI] = [:]
    /// APIs that have a document which answers with samples of operations.
    package private(set) var sampledAPIs: Set<String> = []
    /// Whether a document of a wider scope does, so that calls of any API may be answered with them.
    package private(set) var samplesAll = false

    package init() {}

    /// Whether calls of an API may be answered with samples of its operations.
    ///
    /// - Parameter api: in lower case.
    package func usesSamples(api: String) -> Bool { samplesAll || sampledAPIs.contains(api) }

    package subscript(owner: Owner) -> PolicyDocument? {
        get {
            switch owner {
            case .service: global
            case .product(let name): products[name]
            case .api(let name): apis[name]?.own
            case .operation(let api, let name): apis[api]?.operations[name]
            }
        }
        set {
            switch owner {
            case .service:
                global = newValue
                judgeWide()
            case .product(let name):
                products[name] = newValue
                judgeWide()
            case .api(let name): change(name) { $0.replaceOwn(with: newValue) }
            case .operation(let api, let name): change(api) { $0.replace(name, with: newValue) }
            }
        }
    }

    private mutating func judgeWide() {
        samplesAll = global?.usesSamples == true || products.values.contains(where: \.usesSamples)
    }

    /// Forgets what went with its owner.
    ///
    /// - Parameter operations: those that the API has; nil where the API itself is gone.
    package mutating func forget(api: String, keeping operations: Set<String>?) {
        guard apis[api] != nil else { return }
        change(api) { documents in
            guard let operations else { return documents = OfAPI() }
            for name in documents.operations.keys where !operations.contains(name) {
                documents.replace(name, with: nil)
            }
        }
    }

    private mutating func change(_ api: String, _ change: (inout OfAPI) -> Void) {
        // In place: an API may have thousands of documents, which come one after another.
        change(&apis[api, default: OfAPI()])
        if apis[api]?.sampledCount ?? 0 > 0 { sampledAPIs.insert(api) } else { sampledAPIs.remove(api) }
        if apis[api]?.isEmpty == true { apis[api] = nil }
    }

    /// The documents of a call, from the widest scope to the narrowest.
    ///
    /// - Parameters:
    ///   - api: nil for a call that no API was found for, with the operation likewise.
    ///   - product: nil unless the call came in by a product (contracts/api-management.md 1.7).
    package func documents(api: String?, operation: String?, product: String?) -> [PolicyDocument] {
        var documents = [global ?? .forwarding]
        if let product, let document = products[product] { documents.append(document) }
        guard let api, let ofAPI = apis[api] else { return documents }
        if let own = ofAPI.own { documents.append(own) }
        if let operation, let document = ofAPI.operations[operation.lowercased()] { documents.append(document) }
        return documents
    }
}
