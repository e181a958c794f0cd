package import Policies

/// The policy documents of an instance; immutable, part of a snapshot.
package final class PolicyBook: Sendable {
    private let global: PolicyDocument
    /// By id in lower case; operations by `api/operation`.
    private let products: [String: PolicyDocument]
    private let apis: [String: PolicyDocument]
    private let operations: [String: PolicyDocument]

    package init(
        global: PolicyDocument = .forwarding,
        products: [String: PolicyDocument] = [:],
        apis: [String: PolicyDocument] = [:],
        operations: [String: PolicyDocument] = [:]
    ) {
        self.global = global
        self.products = products
        self.apis = apis
        self.operations = operations
    }

    /// The documents of a call, from the widest scope to the narrowest.
    ///
    /// - Parameters:
    ///   - api: nil for a call that no API was found for, with the operation likewise.
    ///   - product: nil unless the call came in by a product (contracts/api-management.md 1.7).
    func documents(api: String?, operation: String?, product: String?) -> [PolicyDocument] {
        var documents = [global]
        if let product, let document = products[product] { documents.append(document) }
        if let api, let document = apis[api] { documents.append(document) }
        if let api, let operation, let document = operations["\(api)/\(operation.lowercased())"] {
            documents.append(document)
        }
        return documents
    }
}
