import HTTPServing
import Hummingbird
import Management
import ResourceModel

/// The installation's APIs and products.
struct PublisherPage: Page {
    let sources: PageSources

    func addRoutes(to routes: PageRoutes) {
        routes.get("/publisher", for: .administrator) { .view(try await view($0)) }
    }

    private func view(_ visit: PageVisit) async throws -> PageView {
        let words = visit.words
        let overview = try await ControlOverview(sources.resources)
        return PageView(
            "publisher",
            title: words.text("frame.publisherPortal"),
            face: .publisher,
            model: [
                "gateway": [
                    "text": .string(sources.gatewayURL()), "label": .string(words.text("publisher.copyGateway")),
                ],
                "apisCount": .string(words.text("publisher.apisCount", count: overview.apisCount)),
                "hasAPIs": .bool(!overview.apis.isEmpty), "apis": .array(overview.apis.map { Self.row($0, visit) }),
                "productsCount": .string(words.text("publisher.productsCount", count: overview.productsCount)),
                "hasProducts": .bool(!overview.products.isEmpty),
                "products": .array(overview.products.map { Self.row($0, visit) }),
            ]
        )
    }

    private static func row(_ row: ControlOverview.API, _ visit: PageVisit) -> JSONValue {
        let properties = row.api.properties
        let version = properties["apiVersion"]?.string ?? ""
        let needsKey = properties["subscriptionRequired"]?.bool != false
        return [
            "name": .string(properties["displayName"]?.string ?? row.api.id.name),
            "hasVersion": .bool(!version.isEmpty),
            "version": .string(version), "path": .string("/\(properties["path"]?.string ?? "")"),
            "access": [
                "kind": "", "icon": needsKey ? "key-round" : "globe",
                "text": .string(visit.words.text(needsKey ? "publisher.needsKey" : "publisher.open")),
            ],
            "products": .string(
                row.products.isEmpty ? visit.words.text("publisher.none") : visit.locale.list(row.products)
            ), "operations": .string(visit.locale.number(row.operations)),
        ]
    }

    private static func row(_ row: ControlOverview.Product, _ visit: PageVisit) -> JSONValue {
        let words = visit.words
        let properties = row.product.properties
        let description = properties["description"]?.string ?? ""
        let isPublished = properties["state"]?.string == "published"
        let rule =
            properties["subscriptionRequired"]?.bool == false
            ? words.text("publisher.ruleOpen")
            : properties["approvalRequired"]?.bool == true
                ? words.text("publisher.ruleApproval") : words.text("publisher.ruleSubscription")
        return [
            "name": .string(properties["displayName"]?.string ?? row.product.id.name),
            "hasDescription": .bool(!description.isEmpty), "description": .string(description),
            "state": [
                "kind": isPublished ? "ok" : "", "icon": isPublished ? "circle-check" : "circle-dashed",
                "text": .string(words.text(isPublished ? "publisher.published" : "publisher.notPublished")),
            ], "rule": .string(rule), "apis": .string(visit.locale.number(row.apis)),
            "subscriptions": .string(visit.locale.number(row.subscriptions)),
        ]
    }
}
