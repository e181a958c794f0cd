import Foundation
package import HTTPServing
import HTTPTypes
package import Hummingbird
import Policies
import ResourceModel
import Store

/// The ARM-shaped door of the control plane (contracts/api-management.md 4.1): one set of routes for every type.
package struct ARMRoutes: Sendable {
    private static let apiVersions = "2021-08-01"..."2024-05-01"
    /// Tries of a read while releases come one after another, before it waits for its turn among them.
    private static let readsMax = 3

    let service: ResourceService
    private let views: ServiceViews
    private let slot: InstallationSlot
    /// How resources are shown and read.
    var shape = Shape.arm
    private let traces: TraceActions
    let addresses: @Sendable () -> ServiceAddresses
    /// What the request's path means.
    private var path: RevisionPath?

    enum Shape {
        case arm
        /// The flat entities of the publisher portal's time.
        case direct
    }

    /// Where the installation's doors are reached.
    package struct ServiceAddresses: Sendable {
        package let gateway: String
        /// The gateway by TLS; nil where it has no such door.
        package let secureGateway: String?
        package let portal: String
        package let services: String

        package init(gateway: String, secureGateway: String?, portal: String, services: String) {
            self.gateway = gateway
            self.secureGateway = secureGateway
            self.portal = portal
            self.services = services
        }
    }

    package init(
        service: ResourceService,
        installation: InstallationSlot,
        traces: TraceActions,
        views: ServiceViews,
        addresses: @Sendable @escaping () -> ServiceAddresses
    ) {
        self.service = service
        slot = installation
        self.traces = traces
        self.addresses = addresses
        self.views = views
    }

    var installation: Installation { slot.current }

    package func addRoutes(to router: Router<ServingContext>) {
        let managed = router.group().add(middleware: AccessMiddleware(.administrator))
        let direct = router.group().add(middleware: SignatureMiddleware(service: service))
        for method in [HTTPRequest.Method.get, .head, .put, .patch, .delete, .post] {
            managed.on("/subscriptions/**", method: method) { request, _ in try await respond(request) }
            direct.on("\(DirectShape.path)/**", method: method) { request, _ in try await respondDirectly(request) }
        }
    }

    private func respond(_ request: Request) async throws -> Response {
        guard let version = request.query("api-version") else {
            throw APIError(
                status: 400,
                code: "MissingApiVersionParameter",
                message: "The api-version query parameter (?api-version=) is required for all requests."
            )
        }
        guard ARMRoutes.apiVersions.contains(String(version.prefix(10))) else {
            throw APIError(
                status: 400,
                code: "InvalidApiVersionParameter",
                message: "The api-version \"\(version.prefix(40))\" is invalid; supported are 2021-08-01 to 2024-05-01."
            )
        }
        let segments = request.uri.path.split(separator: "/", omittingEmptySubsequences: true)
            .map { PercentEncoding.decoded($0) ?? String($0) }
        switch try place(segments, request.method) {
        case .serviceList: return try await serviceList(request)
        case .service: return try await serviceDocument(request)
        case .nameCheck: return try await nameAvailability(request)
        case .below(let words): return try await resource(request, words)
        }
    }

    // MARK: - The service

    private enum Place {
        case serviceList
        case service
        case nameCheck
        case below([String])
    }

    private func place(_ segments: [String], _ method: HTTPRequest.Method) throws(APIError) -> Place {
        let lower = segments.map { $0.lowercased() }
        let unknown = APIError.notFound("The path is not known.")
        guard segments.count >= 2, lower[1] == installation.subscriptionID.lowercased() else {
            throw APIError(
                status: 404,
                code: "SubscriptionNotFound",
                message:
                    "The subscription '\(segments.count > 1 ? String(segments[1].prefix(64)) : "")' could not be found."
            )
        }
        var rest = Array(lower.dropFirst(2))
        var original = Array(segments.dropFirst(2))
        if rest.first == "resourcegroups" {
            guard rest.count >= 2, rest[1] == installation.resourceGroup.lowercased() else {
                throw APIError(
                    status: 404,
                    code: "ResourceGroupNotFound",
                    message:
                        "Resource group '\(original.count > 1 ? String(original[1].prefix(90)) : "")' could not be found."
                )
            }
            rest.removeFirst(2)
            original.removeFirst(2)
        }
        if rest.count == 3, rest[0] == "providers", rest[2] == "checknameavailability" { return .nameCheck }
        guard rest.count >= 3, rest[0] == "providers", rest[1] == "microsoft.apimanagement", rest[2] == "service" else {
            throw unknown
        }
        guard rest.count > 3 else { return .serviceList }
        guard rest[3] == installation.serviceName.lowercased() else {
            if method == .put, rest.count == 4 {
                throw .conflict(
                    "This installation is one instance, named \(installation.serviceName); it can hold no other."
                )
            }
            throw .notFound("The Resource 'Microsoft.ApiManagement/service/\(original[3].prefix(64))' was not found.")
        }
        return rest.count == 4 ? .service : .below(Array(original.dropFirst(4)))
    }

    private func serviceList(_ request: Request) async throws -> Response {
        guard request.method == .get else { throw APIError.notFound("The path is not known.") }
        return .json(["value": [serviceJSON(try await service.get(.service))]])
    }

    private func serviceDocument(_ request: Request) async throws -> Response {
        switch request.method {
        case .get, .head: break
        case .put, .patch:
            try await service.update(instance: try await request.jsonObject(), ifMatch: request.ifMatch)
        default:
            throw APIError(
                status: 405,
                code: "MethodNotAllowed",
                message: "The service is made by `gatehouse init` and ends with its data folder."
            )
        }
        let resource = try await service.get(.service)
        return .json(serviceJSON(resource), etag: resource.etag)
    }

    private func nameAvailability(_ request: Request) async throws -> Response {
        guard request.method == .post else { throw APIError.notFound("The path is not known.") }
        guard let name = try await request.jsonObject()["name"]?.string, Installation.isValidName(name) else {
            throw APIError.validation("name", Installation.nameRule)
        }
        let isOwn = name.lowercased() == installation.serviceName.lowercased()
        return .json([
            "nameAvailable": false, "reason": "AlreadyExists",
            "message": .string(
                isOwn ? "\(name) is in use." : "This installation is one instance, named \(installation.serviceName)."
            ),
        ])
    }

    private func serviceJSON(_ resource: Resource) -> JSONValue {
        let addresses = addresses()
        return [
            "id": .string(installation.root), "name": .string(installation.serviceName),
            "type": "Microsoft.ApiManagement/service", "tags": resource.properties["tags"] ?? [:], "location": "Local",
            "etag": .string(resource.etag), "sku": ["name": "Developer", "capacity": 1],
            "properties": [
                "publisherEmail": resource.properties["publisherEmail"] ?? .null,
                "publisherName": resource.properties["publisherName"] ?? .null,
                "notificationSenderEmail": resource.properties["notificationSenderEmail"]
                    ?? resource.properties["publisherEmail"] ?? .null, "provisioningState": "Succeeded",
                "targetProvisioningState": "", "createdAtUtc": .string(installation.createdAt),
                "gatewayUrl": .string(addresses.gateway), "portalUrl": .string(addresses.portal),
                "developerPortalUrl": .string(addresses.portal), "managementApiUrl": .string(addresses.portal),
            ],
        ]
    }

    // MARK: - Resources

    func resource(_ request: Request, _ given: [String]) async throws -> Response {
        guard let api = RevisionPath.api(given) else { return try await located(request, given) }
        let name = api.name.lowercased()
        guard request.method == .get || request.method == .head else {
            // The body first: nobody waits for a slow client.
            var request = request
            let bytes = try await request.bodyBytes(max: ServingContext.bodyBytesMax)
            request.body = RequestBody(buffer: ByteBuffer(bytes: bytes))
            return try await service.writers.alone(name) { try await located(request, given) }
        }
        for _ in 0..<Self.readsMax {
            let before = try await service.store.indexEntry(api)?.sequence
            let answer: Result<Response, any Error>
            do { answer = .success(try await located(request, given)) } catch { answer = .failure(error) }
            // A release writes the API itself: what the path meant before it may be elsewhere after it.
            if try await service.store.indexEntry(api)?.sequence == before { return try answer.get() }
        }
        return try await service.writers.alone(name) { try await located(request, given) }
    }

    private func located(_ request: Request, _ given: [String]) async throws -> Response {
        var routes = self
        let path = try await RevisionPath.located(given, creates: request.method == .put, in: service.store)
        routes.path = path
        return try await routes.answer(request, path.words)
    }

    private func answer(_ request: Request, _ words: [String]) async throws -> Response {
        if let answer = try await views.answer(request, words, self) { return answer }
        if words.count % 2 == 1 {
            let id = ResourceID(Array(words.dropLast()))
            if request.method == .post { return try await action(request, id, words[words.count - 1]) }
            let type = try type(of: ResourceID(words + ["-"]))
            guard request.method == .get else { throw APIError.notFound("The path is not known.") }
            return try await list(request, type, parent: ResourceID(Array(words.dropLast())))
        }
        let id = ResourceID(words)
        let type = try type(of: id)
        switch request.method {
        case .get:
            let resource = try await service.get(id)
            return .json(try await json(resource, type, format: try format(request)), etag: resource.etag)
        case .head:
            let resource = try await service.get(id)
            return .empty(status: type.statuses.head, etag: resource.etag)
        case .put:
            let body = try await request.jsonObject()
            let (resource, isNew) = try await service.put(
                type,
                id,
                try properties(body, type, isPatch: false),
                ifMatch: request.ifMatch
            )
            return .json(try await json(resource, type), status: isNew ? 201 : 200, etag: resource.etag)
        case .patch:
            let body = try await request.jsonObject()
            let resource = try await service.patch(
                type,
                id,
                try properties(body, type, isPatch: true),
                ifMatch: request.ifMatch
            )
            if type.statuses.patch == 204 { return .empty(status: 204, etag: resource.etag) }
            return .json(try await json(resource, type), etag: resource.etag)
        case .delete:
            return try await delete(request, type, id)
        default: throw APIError.notFound("The path is not known.")
        }
    }

    private func delete(_ request: Request, _ type: ResourceType, _ id: ResourceID) async throws -> Response {
        // A place has no version of its own, and its SDK call sends no If-Match.
        let isPlace = type.link != nil || type.statuses.head == ResourceType.Statuses.place.head
        let ifMatch = isPlace ? request.ifMatch ?? "*" : request.ifMatch
        let deletion = DeletionRequest(takesSubscriptions: request.query("deleteSubscriptions")?.lowercased() == "true")
        if path?.current != nil, id.segments.count == 2, request.query("deleteRevisions")?.lowercased() != "true",
            try await !RevisionRules.revisions(of: id, service.store).isEmpty
        {
            // Whoever means one revision must not lose all of them.
            throw APIError.conflict(
                "The current revision goes with its API only: release another revision first, or pass deleteRevisions=true."
            )
        }
        do {
            try await service.delete(type, id, ifMatch: ifMatch, request: deletion)
        } catch let error as APIError where error.status == 404 {
            return .empty(status: 204)
        }
        return .empty(status: type.statuses.delete)
    }

    /// In which of its formats a policy document is asked for.
    private func format(_ request: Request) throws(APIError) -> String? {
        guard let format = request.query("format") else { return nil }
        guard ["xml", "rawxml"].contains(format) else {
            throw .validation("format", "The format must be xml or rawxml.")
        }
        return format
    }

    private func action(_ request: Request, _ id: ResourceID, _ word: String) async throws -> Response {
        if id.key == "/gateways/managed" {
            switch word.lowercased() {
            case "listdebugcredentials":
                return try await traces.credentials(try await request.jsonObject()) { api in
                    try await service.exists(api)
                }
            case "listtrace": return try traces.trace(try await request.jsonObject())
            default: throw APIError.notFound("The path is not known.")
            }
        }
        let type = try type(of: id)
        guard let action = type.actions.first(where: { $0.name.lowercased() == word.lowercased() }) else {
            throw APIError.notFound("The path is not known.")
        }
        let resource = try await service.get(id)
        let call = ActionCall(resource: resource, type: type, body: try await request.jsonObject(), service: service)
        switch try await action.run(call) {
        case .json(let document): return .json(document, etag: resource.etag)
        case .empty(let status): return .empty(status: status)
        }
    }

    func list(
        _ request: Request,
        _ type: ResourceType,
        parent: ResourceID,
        matches: [(column: Int, value: String)] = []
    ) async throws -> Response {
        let page = try await service.list(type, parent: parent, try listRequest(request), matches: matches)
        var values: [JSONValue] = []
        for resource in page.resources {
            // What a place is of may have gone since the page was read, and the place with it.
            do { values.append(try await json(resource, type)) } catch let error as APIError where error.status == 404 {
            }
        }
        return .json(document(request, values, count: page.count, next: page.next))
    }

    func listRequest(_ request: Request) throws(APIError) -> ResourceService.ListRequest {
        var wanted = ResourceService.ListRequest()
        wanted.top = try number(request, "$top", ResourceService.pageDefault, 1...ResourceService.pageMax)
        wanted.skip = try number(request, "$skip", 0, 0...10_000_000)
        wanted.token = request.query("$skiptoken")
        wanted.filter = try filter(request)
        if let text = request.query("$orderby"), !text.isEmpty {
            let words = text.split(separator: " ").map(String.init)
            guard words.count <= 2, words.count == 1 || ["asc", "desc"].contains(words[1].lowercased()),
                case .compare(let field, _, _)? = try? ODataFilter("\(words[0]) eq 0")
            else { throw .validation("$orderby", "The order must be one field, with asc or desc.") }
            wanted.order = .init(field: field, isDescending: words.count == 2 && words[1].lowercased() == "desc")
        }
        return wanted
    }

    func filter(_ request: Request) throws(APIError) -> ODataFilter? {
        guard let text = request.query("$filter"), !text.isEmpty else { return nil }
        do throws(ODataFilter.ParseError) { return try ODataFilter(text) } catch {
            throw .validation("$filter", error.message)
        }
    }

    /// A page as the contract shows it.
    func document(_ request: Request, _ values: [JSONValue], count: Int, next: String?) -> JSONValue {
        var document: JSONObject = ["value": .array(values), "count": .int(count)]
        if let next {
            var items = [("$skiptoken", next)]
            for name in ["api-version", "$top", "$filter", "$orderby"] {
                if let value = request.query(name) { items.append((name, value)) }
            }
            let query = items.map {
                "\($0.0)=\($0.1.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")"
            }
            document["nextLink"] = .string("\(addresses().portal)\(request.uri.path)?\(query.joined(separator: "&"))")
        }
        return .object(document)
    }

    func number(
        _ request: Request,
        _ name: String,
        _ fallback: Int,
        _ range: ClosedRange<Int>
    ) throws(APIError) -> Int {
        guard let text = request.query(name) else { return fallback }
        guard let value = Int(text), range.contains(value) else {
            throw .validation(name, "The value must be a whole number from \(range.lowerBound) to \(range.upperBound).")
        }
        return value
    }

    private func type(of id: ResourceID) throws(APIError) -> ResourceType {
        guard let type = ResourceTypes.type(path: id.type) else { throw .notFound("The path is not known.") }
        return type
    }

    private func properties(_ body: JSONObject, _ type: ResourceType, isPatch: Bool) throws(APIError) -> JSONObject {
        var properties = try properties(body, type)
        try path?.complete(&properties, type, isPatch: isPatch)
        return properties
    }

    private func properties(_ body: JSONObject, _ type: ResourceType) throws(APIError) -> JSONObject {
        guard shape == .arm else { return DirectShape.properties(body, type) }
        guard let value = body["properties"], !value.isNull else { return JSONObject() }
        guard let object = value.object else { throw .validation("properties", "The value must be an object.") }
        return object
    }

    /// - Parameter format: of a policy document; nil for that of escaped XML.
    func json(_ resource: Resource, _ type: ResourceType, format: String? = nil) async throws -> JSONValue {
        var properties = resource.properties
        var presentation = presentation
        presentation.id = resource.id
        if let text = properties["value"]?.string, let stored = properties["format"]?.string {
            let wanted = format ?? "xml"
            if wanted != stored {
                properties["value"] = .string(wanted == "xml" ? PolicyFormat.escaped(text) : PolicyFormat.raw(text))
            }
            properties["format"] = .string(wanted)
        }
        if type.path == ResourceType.backend.path, properties["credentials"] == SealedRules.sealed {
            let text = try await service.secret(resource.id, BackendRules.credentialsSlot)
            properties["credentials"] = try text.map { try JSONValue(parsing: $0) }
        }
        if let link = type.link, let target = ResourceTypes.type(path: link) {
            // A place of a resource is shown as the resource.
            presentation.id = ResourceID([link, resource.id.name])
            properties = target.present(
                try await service.get(ResourceID([link, resource.id.name])).properties,
                presentation
            )
        } else {
            properties = type.present(properties, presentation)
        }
        if type.path == ResourceType.notification.path {
            properties["recipients"] = [
                "emails": try await recipients(of: resource.id, .recipientEmail) { $0.name },
                "users": try await recipients(of: resource.id, .recipientUser) {
                    installation.root + "/users/" + $0.name
                },
            ]
        }
        let id = path?.shown(resource.id) ?? resource.id
        guard shape == .arm else { return DirectShape.entity(id, properties, type) }
        return [
            "id": .string(installation.root + id.description),
            "type": .string("Microsoft.ApiManagement/service/" + type.path),
            "name": .string(id.name),
            "properties": .object(properties),
        ]
    }

    /// Who is told of an event.
    private func recipients(
        of notification: ResourceID,
        _ type: ResourceType,
        _ shown: (ResourceID) -> String
    ) async throws -> JSONValue {
        let word = type.path.split(separator: "/").last.map(String.init) ?? ""
        let query = ResourceQuery(parent: notification, type: word, limit: ResourceService.pageMax)
        return .array(try await service.store.list(query).map { .string(shown($0.id)) })
    }

    private var presentation: PresentationContext {
        PresentationContext(servicesURL: addresses().services, root: shape == .arm ? installation.root : "")
    }
}
