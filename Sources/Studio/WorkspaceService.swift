import Foundation
import ResourceModel
package import Store

/// What a workspace is called, and how much is in it.
package struct WorkspaceService: Sendable {
    package struct Facts: Sendable {
        package let name: String
        package let experiments: Int
        package let datasets: Int
        package let services: Int
    }

    /// Characters of a name, as the Studio's form has them.
    package static let nameCharacters = 1...100
    /// Tries of a change while others change the workspace at the same time: each time one of them gets through.
    private static let attemptsMax = 20

    private let store: any ResourceStore
    private let workspace: Workspace

    package init(store: any ResourceStore, workspace: Workspace) {
        self.store = store
        self.workspace = workspace
    }

    package func facts() async throws -> Facts {
        Facts(
            name: try await current().properties["Name"]?.string ?? "",
            experiments: try await count("experiments"),
            datasets: try await count("datasets"),
            services: try await count("webservices")
        )
    }

    /// - Throws: `APIError` 400 that names the field and its rule.
    package func rename(_ name: String) async throws {
        guard Self.nameCharacters.contains(name.count) else {
            throw APIError.validation("name", "The name must be 1 to \(Self.nameCharacters.upperBound) characters.")
        }
        try await change("Name", name)
    }

    /// Notes that an authorization token was made anew, for whoever reads the record of changes.
    ///
    /// - Parameter kind: which one, as `primary`.
    package func noteRegeneration(of kind: String) async throws {
        try await change("\(kind.capitalized)TokenTime", Date().formatted(.iso8601))
    }

    private func change(_ property: String, _ value: String) async throws {
        for _ in 0..<Self.attemptsMax {
            let before = try await current()
            var properties = before.properties
            properties[property] = .string(value)
            let write = ResourceWrite(
                workspace.resource,
                .put(properties: properties, index: [], secrets: []),
                condition: .etag(before.etag)
            )
            do {
                _ = try await store.apply([write])
                return
            } catch StoreError.etagMismatch { continue }
        }
        throw APIError(status: 503, code: "ServiceUnavailable", message: "Too many changes at once; try again.")
    }

    private func current() async throws -> Resource {
        guard let resource = try await store.get(workspace.resource) else {
            throw APIError.notFound("The workspace was not found.")
        }
        return resource
    }

    private func count(_ type: String) async throws -> Int {
        try await store.count(ResourceQuery(parent: workspace.resource, type: type, limit: 1))
    }
}
