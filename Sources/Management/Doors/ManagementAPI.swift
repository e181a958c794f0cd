import ResourceModel

/// The description of a door of the control plane in OpenAPI 3.0, made of the declared types.
struct ManagementAPI {
    /// The door that is described.
    var shape = ARMRoutes.Shape.arm

    /// - Parameter server: where the instance is reached at the door, without a closing slash.
    func document(server: String) -> JSONValue {
        var paths = JSONObject()
        for type in ResourceTypes.all { add(type, to: &paths) }
        for name in ["byApi", "byOperation", "byProduct", "bySubscription", "byUser", "byGeo", "byTime", "byRequest"] {
            var report = operation("Report \(name)", [:], statuses: [200, 400], parameters: Self.paging)
            report["operationId"] = .string("reports_\(name)")
            paths["/reports/\(name)"] = ["get": .object(report), "parameters": [Self.versionReference]]
        }
        for list in [
            "regions", "skus", "networkstatus", "policyDescriptions", "settings", "allPolicies", "apisByTags",
            "productsByTags",
            "tagResources", "issues",
        ] {
            paths["/\(list)"] = [
                "parameters": [Self.versionReference], "get": .object(operation("List \(list)", [:], statuses: [200])),
            ]
        }
        addQuotas(to: &paths)
        return [
            "openapi": "3.0.3",
            "info": [
                "title": .string(shape == .arm ? "Gatehouse management" : "Gatehouse direct management"),
                "version": "2024-05-01",
                "description": .string(
                    "The \(shape == .arm ? "ARM-shaped" : "flat direct") door of this installation, made of the declared types."
                ),
            ],
            "servers": [["url": .string(server)]],
            "paths": .object(paths),
            "security": [["token": []]],
            "components": [
                "parameters": ["Version": Self.version],
                "responses": [
                    "Refused": [
                        "description": "Refused; the error names the field and the rule where there are some.",
                        "content": ["application/json": ["schema": ["$ref": "#/components/schemas/Error"]]],
                    ]
                ],
                "securitySchemes": [
                    "token": shape == .arm
                        ? ["type": "http", "scheme": "bearer"]
                        : ["type": "apiKey", "in": "header", "name": "Authorization"]
                ],
                "schemas": [
                    "Error": [
                        "type": "object", "required": ["error"],
                        "properties": [
                            "error": [
                                "type": "object", "required": ["code", "message"],
                                "properties": ["code": ["type": "string"], "message": ["type": "string"]],
                            ]
                        ],
                    ]
                ],
            ],
        ]
    }

    private func addQuotas(to paths: inout JSONObject) {
        let key = Self.parameter("quota_key", in: "path", Self.name)
        let counts: JSONValue = [
            "type": "object", "properties": ["callsCount": ["type": "integer"], "kbTransferred": ["type": "number"]],
        ]
        let body: JSONValue = shape == .arm ? ["type": "object", "properties": ["properties": counts]] : counts
        let patch = operation("Set the counters of a key", ["body": body], statuses: [200, 400, 404, 413])
        paths["/quotas/{quota_key}"] = [
            "parameters": [Self.versionReference, key],
            "get": .object(operation("Counters of a key", [:], statuses: [200])), "patch": .object(patch),
        ]
        let period = shape == .arm ? "/periods/{period}" : "/{period}"
        paths["/quotas/{quota_key}\(period)"] = [
            "parameters": [Self.versionReference, key, Self.parameter("period", in: "path", Self.name)],
            "get": .object(operation("A counter in a period", [:], statuses: [200, 404])), "patch": .object(patch),
        ]
    }

    // MARK: - Types

    /// Of a segment of a path.
    private static let name: JSONValue = ["type": "string", "minLength": 1, "maxLength": 80]

    private func add(_ type: ResourceType, to paths: inout JSONObject) {
        let words = type.path.split(separator: "/").map(String.init)
        var list = ""
        var parents: [JSONValue] = [Self.versionReference]
        for (place, word) in words.enumerated() {
            list += "/" + word
            guard place < words.count - 1 else { break }
            let name = DeclarationRoutes.noun(word).replacing("-", with: "_") + "_id"
            list += "/{\(name)}"
            parents.append(Self.parameter(name, in: "path", Self.name))
        }
        let name = DeclarationRoutes.noun(words[words.count - 1]).replacing("-", with: "_") + "_id"
        let nested = words.count > 1 ? [404] : []
        paths[list] = [
            "parameters": .array(parents),
            "get": .object(
                operation("List \(type.path)", [:], statuses: [200, 400] + nested, parameters: Self.paging)
            ),
        ]
        let id = Self.parameter(name, in: "path", Self.name)
        let put = schema(type, isPatch: false)
        // A name that the rule of the type refuses is 400, also where nothing is looked up yet.
        paths["\(list)/{\(name)}"] = [
            "parameters": .array(parents + [id]),
            "get": .object(operation("Get \(type.path)", [:], statuses: [200, 400, 404])),
            "head": .object(operation("Get the etag of \(type.path)", [:], statuses: [200, 204, 404])),
            "put": .object(
                operation(
                    "Put \(type.path)",
                    ["body": put],
                    statuses: [200, 201, 400, 404, 409, 412, 413],
                    parameters: [Self.ifMatch(isRequired: false)]
                )
            ),
            "patch": .object(
                operation(
                    "Patch \(type.path)",
                    ["body": schema(type, isPatch: true)],
                    statuses: [200, 204, 400, 404, 409, 412, 413],
                    parameters: [Self.ifMatch(isRequired: true)]
                )
            ),
            "delete": .object(
                operation(
                    "Delete \(type.path)",
                    [:],
                    statuses: [200, 204, 400, 409, 412],
                    parameters: [Self.ifMatch(isRequired: true)]
                )
            ),
        ]
        for action in type.actions {
            paths["\(list)/{\(name)}/\(action.name)"] = [
                "parameters": .array(parents + [id]),
                "post": .object(
                    operation(
                        "\(action.name) of \(type.path)",
                        ["body": Self.anyObject],
                        statuses: [200, 202, 204, 400, 404, 409, 413]
                    )
                ),
            ]
        }
    }

    private func operation(
        _ summary: String,
        _ body: JSONObject,
        statuses: [Int],
        parameters: [JSONValue] = []
    ) -> JSONObject {
        var responses = JSONObject()
        // Without a version everything is 400 and without a token 401; a head may be too long, and every door may be busy.
        for status in Set(statuses + [400, 401, 414, 431, 503]).sorted() {
            responses[String(status)] =
                status >= 400 ? ["$ref": "#/components/responses/Refused"] : ["description": "Done"]
        }
        var operation: JSONObject = ["summary": .string(summary), "responses": .object(responses)]
        if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
        if let schema = body["body"] {
            operation["requestBody"] = ["content": ["application/json": ["schema": schema]]]
        }
        return operation
    }

    // MARK: - Parameters

    private static let versionReference: JSONValue = ["$ref": "#/components/parameters/Version"]

    private static let version = parameter(
        "api-version",
        in: "query",
        ["type": "string", "enum": ["2021-08-01", "2022-08-01", "2024-05-01"]],
        isRequired: true
    )

    private static let paging = [
        parameter("$top", in: "query", ["type": "integer", "minimum": 1, "maximum": .int(ResourceService.pageMax)]),
        parameter("$skip", in: "query", ["type": "integer", "minimum": 0, "maximum": 10_000_000]),
        parameter("$filter", in: "query", ["type": "string", "maxLength": .int(ODataFilter.charactersMax)]),
        parameter("$orderby", in: "query", ["type": "string"]),
    ]

    private static func ifMatch(isRequired: Bool) -> JSONValue {
        parameter(
            "If-Match",
            in: "header",
            ["type": "string", "enum": ["*", "\"AAAAAAAAAAE=\""]],
            isRequired: isRequired
        )
    }

    private static func parameter(
        _ name: String,
        in place: String,
        _ schema: JSONValue,
        isRequired: Bool = false
    ) -> JSONValue {
        [
            "name": .string(name), "in": .string(place), "required": .bool(isRequired || place == "path"),
            "schema": schema,
        ]
    }

    // MARK: - Schemas

    private static let anyObject: JSONValue = ["type": "object"]

    private func schema(_ type: ResourceType, isPatch: Bool) -> JSONValue {
        var properties = JSONObject()
        for rule in type.properties where !rule.isReadOnly { properties[rule.name] = Self.schema(rule.kind) }
        for secret in type.secrets {
            properties[secret.property] = ["type": "string", "maxLength": .int(secret.bytesMax)]
        }
        var inner: JSONObject = ["type": "object", "properties": .object(properties)]
        let required = type.properties.filter { $0.isRequired && !$0.isReadOnly }.map { JSONValue.string($0.name) }
        if !isPatch, !required.isEmpty { inner["required"] = .array(required) }
        if shape == .direct { return .object(inner) }
        return ["type": "object", "properties": ["properties": .object(inner)]]
    }

    private static func schema(_ kind: PropertyRule.Kind) -> JSONValue {
        switch kind {
        case .text(let range):
            return ["type": "string", "minLength": .int(range.lowerBound), "maxLength": .int(range.upperBound)]
        case .choice(let words): return ["type": "string", "enum": .array(words.map { .string($0) })]
        case .bool: return ["type": "boolean"]
        case .int(let range):
            return ["type": "integer", "minimum": .int(range.lowerBound), "maximum": .int(range.upperBound)]
        case .number(let range):
            return ["type": "number", "minimum": .double(range.lowerBound), "maximum": .double(range.upperBound)]
        case .words(let words):
            return [
                "type": "array", "minItems": 1, "items": ["type": "string", "enum": .array(words.map { .string($0) })],
            ]
        case .list(let element): return ["type": "array", "items": schema(element)]
        case .object(let rules):
            var properties = JSONObject()
            for rule in rules { properties[rule.name] = schema(rule.kind) }
            var object: JSONObject = ["type": "object", "properties": .object(properties)]
            let required = rules.filter(\.isRequired).map { JSONValue.string($0.name) }
            if !required.isEmpty { object["required"] = .array(required) }
            return .object(object)
        case .any: return [:]
        }
    }
}
