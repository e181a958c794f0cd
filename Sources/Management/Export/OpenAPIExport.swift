import Foundation
import ResourceModel

/// An API with all that a description of it tells.
struct DescribedAPI {
    let api: Resource
    let operations: [Resource]
    let schemas: [Resource]
    /// Where it is called: the gateway's addresses with the API's path, the best one first.
    let addresses: [String]
}

/// Writes an API as OpenAPI 3.0 or Swagger 2.0 (contracts/api-management.md 7).
struct OpenAPIExport {
    /// What the standard has no place for, so that a description comes back as it was: the upstream, the protocols, and a license with members of later versions.
    static let extensionName = "x-gatehouse"
    static let ownMembers = ["serviceUrl", "protocols", "license"]
    /// Levels of a schema that references are looked for in; the parser takes no deeper documents.
    private static let depthMax = 512
    private static let licenseMembers: Set<String> = ["name", "url"]
    private static let knownTypes: Set<String> = ["string", "number", "integer", "boolean", "array", "object"]
    private static let openAPIMethods: Set<String> = [
        "get", "put", "post", "delete", "options", "head", "patch", "trace",
    ]

    private let described: DescribedAPI
    private let isSwagger: Bool
    /// By schema resource and type: the name in the document.
    private var typeNames: [String: [String: String]] = [:]
    private var types: [(name: String, value: JSONValue)] = []

    /// Operations of methods that the standard does not know are left out.
    static func document(_ described: DescribedAPI, isSwagger: Bool) -> JSONValue {
        OpenAPIExport(described, isSwagger: isSwagger).document()
    }

    /// What a reference to a type begins with.
    static func typesRoot(isSwagger: Bool) -> String { isSwagger ? "#/definitions/" : "#/components/schemas/" }

    private init(_ described: DescribedAPI, isSwagger: Bool) {
        self.described = described
        self.isSwagger = isSwagger
        var taken: Set<String> = []
        for schema in described.schemas { add(schema, &taken) }
    }

    private func document() -> JSONValue {
        let properties = described.api.properties
        var document: JSONObject = isSwagger ? ["swagger": "2.0"] : ["openapi": "3.0.3"]
        var info: JSONObject = [
            "title": properties["displayName"] ?? .string(described.api.id.name),
            "version": properties["apiVersion"] ?? "1.0",
        ]
        info["description"] = properties["description"]
        info["termsOfService"] = properties["termsOfServiceUrl"]
        if let contact = properties["contact"], contact.object?.isEmpty == false { info["contact"] = contact }
        let license = properties["license"]?.object?.members ?? []
        let isPlain = license.allSatisfy { Self.licenseMembers.contains($0.name) }
        if !license.isEmpty {
            info["license"] = .object(JSONObject(license.filter { Self.licenseMembers.contains($0.name) }))
        }
        document["info"] = .object(info)
        if isSwagger {
            addSwaggerAddress(to: &document)
        } else {
            document["servers"] = .array(described.addresses.map { ["url": .string($0)] })
        }
        document["paths"] = .object(paths())
        addSecurity(properties, to: &document)
        if isSwagger, !types.isEmpty { document["definitions"] = .object(JSONObject(types)) }
        var own = JSONObject()
        for member in Self.ownMembers where member != "license" || !isPlain { own[member] = properties[member] }
        document[Self.extensionName] = .object(own)
        return .object(document)
    }

    private func addSwaggerAddress(to document: inout JSONObject) {
        guard let address = described.addresses.first, let start = address.range(of: "://") else { return }
        let rest = address[start.upperBound...]
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        document["host"] = .string(String(rest[..<slash]))
        document["basePath"] = .string(slash == rest.endIndex ? "/" : String(rest[slash...]))
        document["schemes"] = described.api.properties["protocols"] ?? ["https"]
    }

    /// The two places of the subscription key.
    private func addSecurity(_ properties: JSONObject, to document: inout JSONObject) {
        var schemes = JSONObject()
        if properties["subscriptionRequired"]?.bool ?? true {
            let names = properties["subscriptionKeyParameterNames"]
            for (scheme, place, fallback) in [
                ("apiKeyHeader", "header", "Ocp-Apim-Subscription-Key"), ("apiKeyQuery", "query", "subscription-key"),
            ] {
                schemes[scheme] = ["type": "apiKey", "name": names?[place] ?? .string(fallback), "in": .string(place)]
            }
            document["security"] = [["apiKeyHeader": []], ["apiKeyQuery": []]]
        }
        guard !isSwagger else {
            if !schemes.isEmpty { document["securityDefinitions"] = .object(schemes) }
            return
        }
        var components = JSONObject()
        if !types.isEmpty { components["schemas"] = .object(JSONObject(types)) }
        if !schemes.isEmpty { components["securitySchemes"] = .object(schemes) }
        if !components.isEmpty { document["components"] = .object(components) }
    }

    // MARK: - Types

    /// Takes the types of a schema resource; one whose name another resource has already gets the resource's name before its own.
    private mutating func add(_ schema: Resource, _ taken: inout Set<String>) {
        let document = schema.properties["document"] ?? .null
        let found =
            SchemaRules.isJSON(schema.properties["contentType"]?.string ?? "")
            ? SchemaRules.types(document) : JSONObject()
        var names: [String: String] = [:]
        for (name, type) in found.members where type.object != nil {
            names[name] = taken.contains(name) ? "\(schema.id.name)-\(name)" : name
        }
        typeNames[schema.id.name.lowercased()] = names
        for (name, type) in found.members {
            guard let name = names[name] else { continue }
            taken.insert(name)
            types.append((name, rewritten(type, names, 0)))
        }
    }

    /// A schema whose references lead to where the types are in this document.
    private func rewritten(_ value: JSONValue, _ names: [String: String], _ depth: Int) -> JSONValue {
        guard depth < Self.depthMax else { return .null }
        switch value {
        case .array(let items): return .array(items.map { rewritten($0, names, depth + 1) })
        case .object(let object):
            return .object(
                JSONObject(
                    object.members.map { member in
                        guard member.name == "$ref", let reference = member.value.string else {
                            return (member.name, rewritten(member.value, names, depth + 1))
                        }
                        return (member.name, .string(self.reference(reference, names)))
                    }
                )
            )
        default: return value
        }
    }

    private func reference(_ text: String, _ names: [String: String]) -> String {
        for root in [Self.typesRoot(isSwagger: true), Self.typesRoot(isSwagger: false), "#/$defs/"]
        where text.hasPrefix(root) {
            let parts = text.dropFirst(root.count).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0]).replacing("~1", with: "/").replacing("~0", with: "~")
            return Self.typesRoot(isSwagger: isSwagger) + Self.escaped(names[name] ?? name)
                + (parts.count > 1 ? "/\(parts[1])" : "")
        }
        return text
    }

    private static func escaped(_ name: String) -> String {
        name.replacing("~", with: "~0").replacing("/", with: "~1")
    }

    // MARK: - Operations

    private func paths() -> JSONObject {
        var paths: [String: Int] = [:]
        var items: [(name: String, value: JSONObject)] = []
        for operation in described.operations {
            let method = (operation.properties["method"]?.string ?? "").lowercased()
            guard Self.openAPIMethods.contains(method), !(isSwagger && method == "trace") else { continue }
            let template = operation.properties["urlTemplate"]?.string ?? "/"
            let whole = template.hasPrefix("/") ? template : "/" + template
            let (bare, ofQuery) = Self.halves(whole)
            var name = bare
            // Two that differ by their query alone cannot share a path.
            if let place = paths[bare], items[place].value[method] != nil { name = whole }
            let place = paths[name] ?? items.count
            if place == items.count {
                paths[name] = place
                items.append((name, JSONObject()))
            }
            items[place].value[method] = .object(self.operation(operation, ofQuery: name == whole ? [] : ofQuery))
        }
        return JSONObject(items.map { ($0.name, .object($0.value)) })
    }

    /// The path of a template, and the parameters of its query; the template itself where its query holds more than parameters.
    private static func halves(_ template: String) -> (path: String, query: [String]) {
        guard let mark = template.firstIndex(of: "?") else { return (template, []) }
        var names: [String] = []
        for item in template[template.index(after: mark)...].split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, parts[1] == "{\(parts[0])}" else { return (template, []) }
            names.append(String(parts[0]))
        }
        return (String(template[..<mark]), names)
    }

    private func operation(_ operation: Resource, ofQuery: [String]) -> JSONObject {
        let properties = operation.properties
        var result: JSONObject = ["operationId": .string(operation.id.name)]
        result["summary"] = properties["displayName"]
        if let text = properties["description"]?.string, !text.isEmpty { result["description"] = .string(text) }
        var parameters: [JSONValue] = []
        for item in properties["templateParameters"]?.array ?? [] {
            let isOfQuery = ofQuery.contains { $0.lowercased() == item["name"]?.string?.lowercased() }
            parameters.append(.object(parameter(item, isOfQuery ? "query" : "path", isRequired: true)))
        }
        let request = properties["request"]
        for (member, place) in [("queryParameters", "query"), ("headers", "header")] {
            for item in request?[member]?.array ?? [] { parameters.append(.object(parameter(item, place))) }
        }
        let bodies = request?["representations"]?.array ?? []
        if isSwagger, let first = bodies.first {
            result["consumes"] = .array(bodies.compactMap { $0["contentType"] })
            parameters.append(["name": "body", "in": "body", "schema": schema(first) ?? [:]])
        }
        if !parameters.isEmpty { result["parameters"] = .array(parameters) }
        if !isSwagger, !bodies.isEmpty { result["requestBody"] = ["content": content(bodies)] }
        addResponses(properties["responses"]?.array ?? [], to: &result)
        return result
    }

    private func parameter(_ item: JSONValue, _ place: String, isRequired: Bool = false) -> JSONObject {
        var result: JSONObject = ["name": item["name"] ?? "", "in": .string(place)]
        if isRequired || item["required"]?.bool == true { result["required"] = true }
        described(item, in: &result)
        return result
    }

    /// Description and type of a parameter or header.
    private func described(_ item: JSONValue, in result: inout JSONObject) {
        if let text = item["description"]?.string, !text.isEmpty { result["description"] = .string(text) }
        let given = item["type"]?.string ?? "string"
        let type = Self.knownTypes.contains(given) ? given : "string"
        // Swagger 2 knows no objects outside of bodies.
        var schema: JSONObject = ["type": .string(isSwagger && type == "object" ? "string" : type)]
        if type != given { schema["format"] = .string(given) }
        if type == "array" { schema["items"] = isSwagger ? ["type": "string"] : [:] }
        if let text = item["defaultValue"]?.string { schema["default"] = Self.value(text, type) }
        let values = (item["values"]?.array ?? []).compactMap(\.string)
        if !values.isEmpty { schema["enum"] = .array(values.map { Self.value($0, type) }) }
        if isSwagger {
            for member in schema.members { result[member.name] = member.value }
        } else {
            result["schema"] = .object(schema)
        }
    }

    /// A text as the value of a type, where it is one and would be written the same way again.
    private static func value(_ text: String, _ type: String) -> JSONValue {
        guard type != "string", let value = try? JSONValue(parsing: text), value.string == nil, value.text == text
        else {
            return .string(text)
        }
        return value
    }

    // MARK: - Bodies and answers

    private func addResponses(_ answers: [JSONValue], to result: inout JSONObject) {
        var responses = JSONObject()
        var produces: [JSONValue] = []
        var produced: Set<String> = []
        for answer in answers {
            guard let status = answer["statusCode"]?.int else { continue }
            var response: JSONObject = ["description": answer["description"] ?? ""]
            var headers: [(name: String, value: JSONValue)] = []
            for header in answer["headers"]?.array ?? [] {
                var shown = JSONObject()
                if !isSwagger, header["required"]?.bool == true { shown["required"] = true }
                described(header, in: &shown)
                headers.append((header["name"]?.string ?? "", .object(shown)))
            }
            if !headers.isEmpty { response["headers"] = .object(JSONObject(headers)) }
            let representations = answer["representations"]?.array ?? []
            if isSwagger {
                if let first = representations.first {
                    response["schema"] = schema(first)
                    var given: [(name: String, value: JSONValue)] = []
                    for item in representations {
                        guard let type = item["contentType"]?.string else { continue }
                        if produced.insert(type).inserted { produces.append(.string(type)) }
                        if let example = self.examples(item).first?.value["value"] { given.append((type, example)) }
                    }
                    let examples = JSONObject(given)
                    // Says that there is a body even where nothing is known of it.
                    if !examples.isEmpty || response["schema"] == nil { response["examples"] = .object(examples) }
                }
            } else if !representations.isEmpty {
                response["content"] = content(representations)
            }
            responses[String(status)] = .object(response)
        }
        if responses.isEmpty { responses["default"] = ["description": ""] }
        if !produces.isEmpty { result["produces"] = .array(produces) }
        result["responses"] = .object(responses)
    }

    private func content(_ representations: [JSONValue]) -> JSONValue {
        var content: [(name: String, value: JSONValue)] = []
        for item in representations {
            var media = JSONObject()
            media["schema"] = schema(item)
            let examples = examples(item)
            if !examples.isEmpty { media["examples"] = .object(JSONObject(examples)) }
            content.append((item["contentType"]?.string ?? "application/json", .object(media)))
        }
        return .object(JSONObject(content))
    }

    private func schema(_ representation: JSONValue) -> JSONValue? {
        guard let id = representation["schemaId"]?.string, let type = representation["typeName"]?.string,
            let name = typeNames[id.lowercased()]?[type]
        else { return nil }
        return ["$ref": .string(Self.typesRoot(isSwagger: isSwagger) + Self.escaped(name))]
    }

    private func examples(_ representation: JSONValue) -> [(name: String, value: JSONValue)] {
        var given = representation["examples"]?.object?.members ?? []
        if given.isEmpty, let sample = representation["sample"] { given = [("default", ["value": sample])] }
        let isJSON = SchemaRules.isJSON(representation["contentType"]?.string ?? "application/json")
        return given.compactMap { name, example in
            guard var shown = example.object, let value = shown["value"] else { return nil }
            // As the document that the text is, unless it would come back as another text.
            if isJSON, let text = value.string, let parsed = try? JSONValue(parsing: text), parsed.string == nil,
                parsed.indented == text
            {
                shown["value"] = parsed
            }
            return (name, .object(shown))
        }
    }
}
