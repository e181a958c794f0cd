import ResourceModel

/// An API as a description in OpenAPI 2 or 3 tells of it (contracts/api-management.md 7).
struct ImportedAPI {
    struct Operation {
        var id: String
        var properties: JSONObject
    }

    var properties = JSONObject()
    /// Whether the description names the protocols.
    var saysProtocols = false
    /// Whether it names the upstream beyond the standard, not only servers.
    var saysServiceURL = false
    var operations: [Operation] = []
    /// The schema resource that representations name; nil where the description has no types.
    var schema: (id: String, properties: JSONObject)?
}

/// Reads descriptions in OpenAPI 2.0, 3.0 and 3.1.
struct OpenAPIImport {
    /// Operations of one description: more is no API that anybody reads.
    static let operationsMax = 1000
    /// Characters of an operation's id.
    private static let idMax = 76
    private static let titleMax = 300
    private static let descriptionMax = 1000
    private static let apiDescriptionMax = 100_000
    private static let templateMax = 1000
    /// The schema resource that the types of a description become.
    static let schemaID = "imported"
    /// Parameters of one operation.
    private static let parametersMax = 500
    /// Bytes of all operations together: references make many of one, and 4 MiB could become terabytes.
    private static let writtenBytesMax = 32 << 20
    /// Bytes of an entry beside its texts.
    private static let entryBytes = 128
    /// Types without a name of their own that want the same one.
    private static let sameNamesMax = 1000
    private static let serviceURLMax = 2000
    static let methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"]

    private let document: JSONValue
    private let references: DocumentReferences
    private let isSwagger: Bool
    /// Whether required query parameters become part of the template.
    private let takesQueryIntoTemplate: Bool
    private var usedIDs: Set<String> = []
    /// The types that representations may name: those of the document, and those that stand in it without a name.
    private var types: [String: JSONValue] = [:]
    private var typeNames: [String]
    private var bytesLeft = writtenBytesMax

    /// - Throws: `APIError` naming `value` where the document is no description.
    static func read(
        _ document: JSONValue,
        isSwagger: Bool,
        takesQueryIntoTemplate: Bool
    ) throws(APIError) -> ImportedAPI {
        // A document says itself what it is; the format's name says so only for documents that do not.
        let isSwagger = document["openapi"] == nil && (isSwagger || document["swagger"] != nil)
        let version = document[isSwagger ? "swagger" : "openapi"]?.string ?? ""
        guard isSwagger ? version == "2.0" : version.hasPrefix("3.0") || version.hasPrefix("3.1") else {
            throw .validation(
                "value",
                isSwagger
                    ? "The document is no Swagger 2.0: \"swagger\" must be \"2.0\"."
                    : "The document is no OpenAPI 3.0 or 3.1: \"openapi\" says \"\(version.prefix(20))\"."
            )
        }
        guard document["paths"]?.object != nil else { throw .validation("value", "The document has no \"paths\".") }
        var reader = OpenAPIImport(
            document: document,
            isSwagger: isSwagger,
            takesQueryIntoTemplate: takesQueryIntoTemplate
        )
        return try reader.api()
    }

    private init(document: JSONValue, isSwagger: Bool, takesQueryIntoTemplate: Bool) {
        self.document = document
        self.isSwagger = isSwagger
        self.takesQueryIntoTemplate = takesQueryIntoTemplate
        references = DocumentReferences(document)
        let named = (isSwagger ? document["definitions"] : document["components"]?["schemas"])?.object ?? JSONObject()
        typeNames = named.names
        types = Dictionary(named.members.map { ($0.name, $0.value) }) { first, _ in first }
    }

    /// Counts what is written of the description.
    private mutating func spend(_ bytes: Int) throws(APIError) {
        bytesLeft -= bytes + Self.entryBytes
        guard bytesLeft >= 0 else {
            throw .validation(
                "value",
                "The operations of the description hold more than \(Self.writtenBytesMax >> 20) MiB with what their references lead to."
            )
        }
    }

    private mutating func spend(_ value: JSONValue) throws(APIError) {
        try spend(value.byteCount(upTo: bytesLeft))
    }

    private mutating func api() throws(APIError) -> ImportedAPI {
        var api = ImportedAPI()
        let info = document["info"]
        if let title = info?["title"]?.string, !title.isEmpty {
            api.properties["displayName"] = .string(String(title.prefix(Self.titleMax)))
        }
        if let text = info?["description"]?.string, !text.isEmpty {
            api.properties["description"] = .string(String(text.prefix(Self.apiDescriptionMax)))
        }
        if let terms = info?["termsOfService"]?.string { api.properties["termsOfServiceUrl"] = .string(terms) }
        for member in ["contact", "license"] {
            if let value = info?[member], value.object != nil { api.properties[member] = value }
        }
        let (url, protocols) = address()
        if let url { api.properties["serviceUrl"] = .string(url) }
        api.properties["protocols"] = .array(protocols.map { .string($0) })
        api.saysProtocols = isSwagger && document["schemes"]?.array?.isEmpty == false
        // What our own exports say beyond the standard; their servers are the gateway itself.
        if let own = document[OpenAPIExport.extensionName]?.object {
            api.properties["serviceUrl"] = nil
            for member in OpenAPIExport.ownMembers {
                if let value = own[member] { api.properties[member] = value }
            }
            api.saysProtocols = own["protocols"] != nil
            api.saysServiceURL = own["serviceUrl"]?.string != nil
        }
        for path in document["paths"]?.object?.members ?? [] where path.name.hasPrefix("/") {
            let shared = path.value["parameters"]?.array ?? []
            for method in Self.methods {
                guard let operation = path.value[method], operation.object != nil else { continue }
                guard api.operations.count < Self.operationsMax else {
                    throw .validation("value", "The document has more than \(Self.operationsMax) operations.")
                }
                api.operations.append(try self.operation(path.name, method, operation, shared))
            }
        }
        api.schema = schema()
        return api
    }

    // MARK: - Addresses and types

    private func address() -> (url: String?, protocols: [String]) {
        if isSwagger {
            let schemes = (document["schemes"]?.array ?? []).compactMap(\.string).filter {
                ["http", "https", "ws", "wss"].contains($0)
            }
            let protocols = schemes.isEmpty ? ["https"] : schemes
            guard let host = document["host"]?.string else { return (nil, protocols) }
            let base = document["basePath"]?.string ?? ""
            let scheme = protocols.contains("https") ? "https" : protocols[0]
            return ("\(scheme)://\(host)\(base == "/" ? "" : base)", protocols)
        }
        let urls = (document["servers"]?.array ?? []).compactMap(serverURL).filter { (try? BackendURL($0)) != nil }
        // The first one by https where there is any: a description often names a test server as well.
        let byHTTPS = urls.first { $0.lowercased().hasPrefix("https://") }
        guard let url = byHTTPS ?? urls.first(where: { $0.lowercased().hasPrefix("http://") }) else {
            return (nil, ["https"])
        }
        return (url.hasSuffix("/") ? String(url.dropLast()) : url, ["https"])
    }

    /// A server's address with the defaults of its variables.
    private func serverURL(_ server: JSONValue) -> String? {
        guard let template = server["url"]?.string, template.utf8.count <= Self.serviceURLMax else { return nil }
        let variables = server["variables"]
        // What is put in is not read again: variables of variables would grow without end.
        var url = ""
        var rest = template[...]
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            let name = String(rest[rest.index(after: open)..<close])
            url += rest[..<open]
            if let variable = variables?[name] {
                url += variable["default"]?.string ?? ""
            } else {
                url += rest[open...close]
            }
            rest = rest[rest.index(after: close)...]
            guard url.utf8.count <= Self.serviceURLMax else { return nil }
        }
        return url + rest
    }

    private func schema() -> (id: String, properties: JSONObject)? {
        guard !typeNames.isEmpty else { return nil }
        let all = JSONValue.object(JSONObject(typeNames.map { ($0, types[$0] ?? .null) }))
        let document: JSONValue = isSwagger ? ["definitions": all] : ["components": ["schemas": all]]
        return (
            Self.schemaID,
            ["contentType": .string(SchemaRules.contentType(isSwagger: isSwagger)), "document": document]
        )
    }

    // MARK: - Operations

    private mutating func operation(
        _ path: String,
        _ method: String,
        _ operation: JSONValue,
        _ shared: [JSONValue]
    ) throws(APIError) -> ImportedAPI.Operation {
        // Those of the operation stand in the place of the path's of the same name and place.
        let given = shared + (operation["parameters"]?.array ?? [])
        guard given.count <= Self.parametersMax else {
            throw .validation(
                "value",
                "The operation \(method) \(path.prefix(80)) has more than \(Self.parametersMax) parameters."
            )
        }
        var parameters: [JSONValue] = []
        for parameter in given.map(resolved) {
            parameters.removeAll { $0["name"] == parameter["name"] && $0["in"] == parameter["in"] }
            parameters.append(parameter)
        }
        let ofQuery = parameters.filter { $0["in"]?.string == "query" }
        let inTemplate = takesQueryIntoTemplate ? ofQuery.filter { $0["required"]?.bool == true } : []
        var template = path
        for (place, parameter) in inTemplate.enumerated() {
            let name = parameter["name"]?.string ?? ""
            template += "\(place == 0 && !path.contains("?") ? "?" : "&")\(name)={\(name)}"
        }
        guard template.count <= Self.templateMax else {
            throw .validation("value", "The path \(path.prefix(80)) is longer than \(Self.templateMax) characters.")
        }
        var templateParameters = try written(inTemplate)
        for name in Self.names(path) {
            let declared = parameters.first { $0["in"]?.string == "path" && $0["name"]?.string == name }
            templateParameters += try written(declared.map { [$0] } ?? [])
            if declared == nil {
                templateParameters.append(["name": .string(name), "type": "string", "required": true])
            }
        }
        let rawID = operation["operationId"]?.string
        let id = id(rawID ?? "\(method)-\(path)")
        let title =
            operation["summary"]?.string.flatMap { $0.isEmpty ? nil : $0 } ?? rawID ?? "\(method.uppercased()) \(path)"
        var request = JSONObject()
        request["queryParameters"] = .array(
            try written(ofQuery.filter { item in !inTemplate.contains { $0["name"] == item["name"] } })
        )
        request["headers"] = .array(try written(parameters.filter { $0["in"]?.string == "header" }))
        if !["get", "head", "options"].contains(method) {
            request["representations"] = .array(try bodies(operation, parameters, id))
        }
        let properties: JSONObject = [
            "displayName": .string(String(title.prefix(Self.titleMax))), "method": .string(method.uppercased()),
            "urlTemplate": .string(template), "templateParameters": .array(templateParameters),
            "description": .string(String((operation["description"]?.string ?? "").prefix(Self.descriptionMax))),
            "request": .object(request), "responses": .array(try responses(operation, id)),
        ]
        return ImportedAPI.Operation(id: id, properties: properties)
    }

    /// Lower case, letters and digits with dashes between, and told apart by a number where two are the same.
    private mutating func id(_ text: String) -> String {
        var id = ""
        for character in text.lowercased() {
            if character.isASCII, character.isLetter || character.isNumber {
                id.append(character)
            } else if !id.isEmpty, id.last != "-" {
                id.append("-")
            }
        }
        id = String(id.prefix(Self.idMax))
        while id.hasSuffix("-") { id.removeLast() }
        if id.isEmpty { id = "operation" }
        var unique = id
        var number = 0
        while !usedIDs.insert(unique).inserted {
            number += 1
            unique = "\(id)-\(number)"
        }
        return unique
    }

    /// The names in braces.
    private static func names(_ path: String) -> [String] {
        path.split(separator: "{").dropFirst().compactMap { piece in
            // `{*name}` takes all that is left.
            piece.firstIndex(of: "}").map { String(piece[..<$0].drop { $0 == "*" }) }
        }
    }

    /// Parameters as operations hold them.
    private mutating func written(_ given: [JSONValue]) throws(APIError) -> [JSONValue] {
        var result: [JSONValue] = []
        for item in given {
            let parameter = parameter(item)
            try spend(parameter)
            result.append(parameter)
        }
        return result
    }

    private func parameter(_ parameter: JSONValue) -> JSONValue {
        let schema = isSwagger ? parameter : resolved(parameter["schema"] ?? .null)
        var result: JSONObject = [
            "name": parameter["name"] ?? "", "type": schema["type"]?.string.map(JSONValue.string) ?? "string",
            "required": .bool(parameter["required"]?.bool ?? false),
        ]
        if let text = parameter["description"]?.string, !text.isEmpty {
            result["description"] = .string(String(text.prefix(10_000)))
        }
        if let value = schema["default"] { result["defaultValue"] = .string(value.string ?? value.text) }
        result["values"] = .array((schema["enum"]?.array ?? []).map { .string($0.string ?? $0.text) })
        return .object(result)
    }

    // MARK: - Bodies and answers

    private mutating func bodies(
        _ operation: JSONValue,
        _ parameters: [JSONValue],
        _ id: String
    ) throws(APIError) -> [JSONValue] {
        if isSwagger {
            guard let body = parameters.first(where: { $0["in"]?.string == "body" }) else { return [] }
            var result: [JSONValue] = []
            for type in mediaTypes(operation, "consumes") {
                result.append(try representation(type, body["schema"], [], "\(id)-request"))
            }
            return result
        }
        return try representations(resolved(operation["requestBody"] ?? .null)["content"], "\(id)-request")
    }

    private func mediaTypes(_ operation: JSONValue, _ member: String) -> [String] {
        let types = (operation[member] ?? document[member])?.array?.compactMap(\.string) ?? []
        return types.isEmpty ? ["application/json"] : types
    }

    private mutating func representations(_ content: JSONValue?, _ place: String) throws(APIError) -> [JSONValue] {
        var result: [JSONValue] = []
        for media in content?.object?.members ?? [] {
            var examples: [(name: String, value: JSONValue)] = []
            if let example = media.value["example"] { examples.append(("default", try written(example: example))) }
            for named in media.value["examples"]?.object?.members ?? [] {
                let example = resolved(named.value)
                // One that lies elsewhere is not fetched.
                guard let value = example["value"] else { continue }
                examples.append((named.name, try written(example: value, example)))
            }
            result.append(try representation(media.name, media.value["schema"], examples, place))
        }
        return result
    }

    private mutating func written(
        example value: JSONValue,
        _ described: JSONValue? = nil
    ) throws(APIError) -> JSONValue {
        // Before it is written out.
        try spend(
            value.string == nil ? value.byteCount(upTo: bytesLeft, isIndented: true) : value.byteCount(upTo: bytesLeft)
        )
        var example: JSONObject = ["value": .string(value.string ?? value.indented)]
        for member in ["summary", "description"] {
            if let text = described?[member]?.string, !text.isEmpty {
                try spend(text.utf8.count)
                example[member] = .string(text)
            }
        }
        return .object(example)
    }

    /// - Parameter place: the operation and which of its bodies, for the name of a type without one.
    private mutating func representation(
        _ contentType: String,
        _ schema: JSONValue?,
        _ examples: [(name: String, value: JSONValue)],
        _ place: String
    ) throws(APIError) -> JSONValue {
        try spend(contentType.utf8.count)
        var result: JSONObject = ["contentType": .string(contentType)]
        if let name = try typeName(schema, isSwagger ? place : "\(place)-\(contentType)") {
            result["schemaId"] = .string(Self.schemaID)
            result["typeName"] = .string(name)
        }
        var examples = examples
        // A type may bring an example of its own.
        if examples.isEmpty, let example = schema.flatMap({ resolved($0)["example"] }) {
            examples = [("default", try written(example: example))]
        }
        if !examples.isEmpty { result["examples"] = .object(JSONObject(examples)) }
        return .object(result)
    }

    /// The name of a representation's type; one that has none is given one.
    private mutating func typeName(_ schema: JSONValue?, _ place: String) throws(APIError) -> String? {
        guard let schema, schema.object?.isEmpty == false else { return nil }
        if let name = Self.referredType(schema, isSwagger) { return types[name] == nil ? nil : name }
        let type = schema["$ref"] == nil ? schema : resolved(schema)
        guard type.object?.isEmpty == false, type["type"]?.string != "file" else { return nil }
        var name = Self.pascal(place)
        if type.object?.names.sorted() == ["items", "type"], type["type"]?.string == "array",
            let element = type["items"].flatMap({ Self.referredType($0, isSwagger) })
        {
            name = element + "Array"
        }
        var unique = name
        var number = 1
        while let known = types[unique], known != type {
            number += 1
            guard number <= Self.sameNamesMax else {
                throw .validation("value", "More than \(Self.sameNamesMax) types would be called \(name.prefix(80)).")
            }
            unique = "\(name)\(number)"
        }
        if types[unique] == nil {
            try spend(type)
            typeNames.append(unique)
            types[unique] = type
        }
        return unique
    }

    /// The type of the document that a schema is nothing but the name of.
    private static func referredType(_ schema: JSONValue, _ isSwagger: Bool) -> String? {
        let root = OpenAPIExport.typesRoot(isSwagger: isSwagger)
        guard let reference = schema["$ref"]?.string, reference.hasPrefix(root) else { return nil }
        let name = String(reference.dropFirst(root.count))
        return name.contains("/") ? nil : name.replacing("~1", with: "/").replacing("~0", with: "~")
    }

    /// `get-pets-200-application/json` as `GetPets200ApplicationJson`.
    private static func pascal(_ text: String) -> String {
        text.split { !$0.isASCII || !($0.isLetter || $0.isNumber) }
            .map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }

    private mutating func responses(_ operation: JSONValue, _ id: String) throws(APIError) -> [JSONValue] {
        var result: [JSONValue] = []
        for member in operation["responses"]?.object?.members ?? [] {
            // "default" and "2XX" name no status that could be kept.
            guard let status = Int(member.name), (100...599).contains(status) else { continue }
            let answer = resolved(member.value)
            var response: JSONObject = ["statusCode": .int(status)]
            if let text = answer["description"]?.string, !text.isEmpty {
                let description = String(text.prefix(10_000))
                try spend(description.utf8.count)
                response["description"] = .string(description)
            }
            var representations: [JSONValue] = []
            if isSwagger {
                let given = answer["examples"]
                if answer["schema"] != nil || given != nil {
                    for type in mediaTypes(operation, "produces") {
                        var examples: [(name: String, value: JSONValue)] = []
                        if let example = given?[type] { examples.append(("default", try written(example: example))) }
                        representations.append(
                            try representation(type, answer["schema"], examples, "\(id)-\(status)")
                        )
                    }
                }
            } else {
                representations = try self.representations(answer["content"], "\(id)-\(status)")
            }
            response["representations"] = .array(representations)
            let headers = try written(
                (answer["headers"]?.object?.members ?? []).map { header -> JSONValue in
                    var described = resolved(header.value).object ?? JSONObject()
                    described["name"] = .string(header.name)
                    return .object(described)
                }
            )
            if !headers.isEmpty { response["headers"] = .array(headers) }
            result.append(.object(response))
        }
        return result
    }

    private func resolved(_ value: JSONValue) -> JSONValue { references.resolved(value) }
}
