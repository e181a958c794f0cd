package import Foundation
import ResourceModel
import Store

/// What lists show of a web service.
package struct ServiceSummary: Sendable {
    package let id: String
    package let name: String
    package let description: String
    package let endpoints: Int
    package let published: Date
}

extension ServicePublisher {
    /// The services that were published last, and how many there are in all.
    package func summaries(in workspace: String, limit: Int) async throws -> (shown: [ServiceSummary], count: Int) {
        var query = ResourceQuery(parent: Self.services(workspace), type: "webservices", limit: limit)
        query.order = ResourceQuery.Order(field: ["PublishedTime"], isDescending: true)
        var shown: [ServiceSummary] = []
        for service in try await store.list(query) {
            let text = service.properties["PublishedTime"]?.string ?? service.properties["CreationTime"]?.string ?? ""
            shown.append(
                ServiceSummary(
                    id: service.id.name,
                    name: service.properties["Name"]?.string ?? "",
                    description: service.properties["Description"]?.string ?? "",
                    endpoints: try await store.count(ResourceQuery(parent: service.id, type: "endpoints", limit: 1)),
                    published: (try? Date(text, strategy: .iso8601)) ?? .distantPast
                )
            )
        }
        return (shown, try await store.count(query))
    }
}
