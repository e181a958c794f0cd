import HTTPServing
import HTTPTypes
import Hummingbird
import Management
import ResourceModel

/// The developer portal's first page: the APIs that its reader may see, filtered by words, tags and products of the query.
struct DeveloperPage: Page {
    /// From so many APIs on there is something to filter.
    private static let filterMin = 5
    /// Of what somebody looks for.
    private static let queryCharactersMax = 100
    /// Rows of the list; the counts are of all, and the filter finds all.
    private static let rowsMax = 200

    private let sources: PageSources
    private let published: PublishedAPIs

    init(sources: PageSources) {
        self.sources = sources
        published = PublishedAPIs(service: sources.resources)
    }

    func addRoutes(to routes: PageRoutes) { routes.get("/", for: .everyone) { .view(try await view($0)) } }

    private func view(_ visit: PageVisit) async throws -> PageView {
        // Programs that try the bare address hear what they always heard.
        guard visit.request.asksForHTML else { throw HTTPError(.notFound) }
        let words = visit.words
        let reader = PublishedAPIs.Reader(
            user: visit.caller.user,
            isAdministrator: visit.caller.roles.contains(.administrator)
        )
        let all = try await published.list(for: reader)
        let filter = Filter(visit)
        let shown = all.filter(filter.admits)
        let hasFilter = all.count >= Self.filterMin || filter.isActive
        let tags = hasFilter ? Self.tags(all, filter, visit) : []
        let products = hasFilter ? Self.products(all, filter, visit) : []
        let service = sources.installation.current.serviceName
        return PageView(
            "developer",
            title: words.text("developer.title"),
            face: .developer,
            model: [
                "hasFilter": .bool(hasFilter), "isFiltered": .bool(filter.isActive), "query": .string(filter.query),
                "hasTags": .bool(!tags.isEmpty), "tags": .array(tags), "hasProducts": .bool(!products.isEmpty),
                "products": .array(products), "hasAPIs": .bool(!shown.isEmpty),
                "lead": .string(
                    filter.isActive
                        ? words.text(
                            "developer.found",
                            ["count": visit.locale.number(shown.count), "all": visit.locale.number(all.count)]
                        ) : words.text("developer.lead", count: all.count, ["service": service])
                ), "apis": .array(shown.prefix(Self.rowsMax).map { row($0, visit) }),
                "hasMore": .bool(shown.count > Self.rowsMax),
                "more": .string(words.text("developer.more", ["count": visit.locale.number(Self.rowsMax)])),
            ]
        )
    }

    // MARK: - Rows

    private func row(_ item: PublishedAPI, _ visit: PageVisit) -> JSONValue {
        let properties = item.api.properties
        let description = properties["description"]?.string ?? ""
        let path = "/\(properties["path"]?.string ?? "")"
        return [
            "name": .string(item.name),
            "path": [
                "text": .string(path), "address": .string(sources.gatewayURL() + path),
                "label": .string(visit.words.text("developer.copyAddress", ["name": item.name])),
            ], "hasDescription": .bool(!description.isEmpty), "description": .string(description),
            "hasTags": .bool(!item.tags.isEmpty), "tags": .array(item.tags.map { .string($0) }),
            "operations": .string(Self.operations(item, visit)),
            "products": .string(visit.locale.list(item.products.map(Self.title))), "access": Self.access(item, visit),
        ]
    }

    private static func operations(_ item: PublishedAPI, _ visit: PageVisit) -> String {
        let text = visit.words.text("developer.operations", count: item.operations)
        guard let version = item.api.properties["apiVersion"]?.string, !version.isEmpty else { return text }
        return visit.words.text("developer.operationsVersion", ["operations": text, "version": version])
    }

    private static func access(_ item: PublishedAPI, _ visit: PageVisit) -> JSONValue {
        let isOpen = item.products.contains { $0.properties["subscriptionRequired"]?.bool == false }
        let needsKey = item.api.properties["subscriptionRequired"]?.bool != false && !isOpen
        let isByRequest = item.products.allSatisfy { $0.properties["approvalRequired"]?.bool == true }
        let (kind, icon, text) =
            item.isSubscribed
            ? ("ok", "circle-check", visit.words.text("developer.subscribed"))
            : !needsKey
                ? ("", "globe", visit.words.text("developer.open"))
                : isByRequest
                    ? ("", "lock", visit.words.text("developer.byRequest"))
                    : ("", "key-round", visit.words.text("developer.needsSubscription"))
        return ["kind": .string(kind), "icon": .string(icon), "text": .string(text)]
    }

    // MARK: - Choices

    private static func title(_ product: Resource) -> String {
        product.properties["displayName"]?.string ?? product.id.name
    }

    private static func tags(_ apis: [PublishedAPI], _ filter: Filter, _ visit: PageVisit) -> [JSONValue] {
        choices(apis.flatMap { api in api.tags.map { ($0, $0) } }, filter.tags, visit)
    }

    private static func products(_ apis: [PublishedAPI], _ filter: Filter, _ visit: PageVisit) -> [JSONValue] {
        choices(apis.flatMap { api in api.products.map { ($0.id.name, title($0)) } }, filter.products, visit)
    }

    private static func choices(
        _ found: [(value: String, name: String)],
        _ checked: Set<String>,
        _ visit: PageVisit
    ) -> [JSONValue] {
        let groups = Dictionary(grouping: found, by: \.value)
        return groups.sorted { $0.value[0].name.lowercased() < $1.value[0].name.lowercased() }.map { value, uses in
            [
                "value": .string(value), "name": .string(uses[0].name),
                "count": .string(visit.locale.number(uses.count)), "isChecked": .bool(checked.contains(value)),
            ]
        }
    }

    /// What the query asks for: every word somewhere, one of the tags, one of the products.
    private struct Filter {
        let query: String
        let tags: Set<String>
        let products: Set<String>

        init(_ visit: PageVisit) {
            query = String((visit.query("q") ?? "").prefix(DeveloperPage.queryCharactersMax))
            tags = Set(visit.queries("tag"))
            products = Set(visit.queries("product"))
        }

        var isActive: Bool { !query.isEmpty || !tags.isEmpty || !products.isEmpty }

        func admits(_ item: PublishedAPI) -> Bool {
            guard tags.isEmpty || !tags.isDisjoint(with: item.tags),
                products.isEmpty || !products.isDisjoint(with: item.products.map(\.id.name))
            else { return false }
            guard !query.isEmpty else { return true }
            let properties = item.api.properties
            let path = "/\(properties["path"]?.string ?? "")"
            let texts = [item.name, properties["description"]?.string ?? "", path]
            let text = SearchText.folded((texts + item.tags).joined(separator: " "))
            return SearchText.folded(query).split(separator: " ").allSatisfy { text.contains($0) }
        }
    }
}
