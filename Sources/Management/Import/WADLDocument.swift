import ResourceModel

/// WADL as the OpenAPI document that says the same, so that one reader takes both.
struct WADLDocument {
    /// Resources within resources.
    private static let depthMax = 16
    /// Parameters of one resource, with those of the resources around it.
    private static let parametersMax = 500
    /// Bytes of the texts of all operations: references make many of one.
    private static let textBytesMax = 32 << 20
    /// Bytes of an entry beside its texts.
    private static let entryBytes = 128
    private var bytesLeft = textBytesMax
    private var operations = 0
    /// Elements that are named once and referred to, by kind and id.
    private var named: [String: XMLElement] = [:]
    private var paths: [(name: String, value: JSONObject)] = []
    private var places: [String: Int] = [:]

    /// - Throws: `APIError` naming `value`.
    static func read(_ text: String) throws(APIError) -> JSONValue {
        let root: XMLElement
        do { root = try XMLElement(parsing: Array(text.utf8)) } catch {
            throw .validation("value", "The description is no XML: \(error.message) (at byte \(error.offset))")
        }
        guard root.local == "application" else {
            throw .validation("value", "The document is no WADL: its root must be application.")
        }
        var reader = WADLDocument()
        for child in root.children {
            if let id = child.attributes["id"] { reader.named["\(child.local)#\(id)"] = child }
        }
        return try reader.document(root)
    }

    private mutating func document(_ root: XMLElement) throws(APIError) -> JSONValue {
        guard let resources = root.all("resources").first, let base = resources.attributes["base"] else {
            throw .validation("value", "The document has no resources with a base.")
        }
        try add(resources, "", [], depth: 0)
        let about = root.all("doc").first ?? resources.all("doc").first
        // The base is what such an API is called where it has no title.
        var info: JSONObject = ["title": .string(about?.attributes["title"] ?? base), "version": "1.0"]
        if let text = about?.trimmed { info["description"] = .string(text) }
        let url = base.hasSuffix("/") ? String(base.dropLast()) : base
        return [
            "openapi": "3.0.3", "info": .object(info),
            "paths": .object(JSONObject(paths.map { ($0.name, .object($0.value)) })),
            OpenAPIExport.extensionName: ["serviceUrl": .string(url), "protocols": ["https"]],
        ]
    }

    /// Takes the methods of a resource and of those within it.
    private mutating func add(
        _ resource: XMLElement,
        _ path: String,
        _ parameters: [JSONValue],
        depth: Int
    ) throws(APIError) {
        guard depth < Self.depthMax else {
            throw .validation("value", "Resources are nested deeper than \(Self.depthMax) levels.")
        }
        let own = resource.all("param")
        guard parameters.count + own.count <= Self.parametersMax else {
            throw .validation("value", "A resource has more than \(Self.parametersMax) parameters.")
        }
        let parameters = parameters + (try self.parameters(own, "path"))
        for given in resource.all("method") {
            let method = resolved(given)
            let verb = (method.attributes["name"] ?? "GET").lowercased()
            if let reference = method.attributes["href"] {
                throw .validation("value", "The method \"\(reference.prefix(80))\" is none of the document.")
            }
            operations += 1
            guard operations <= OpenAPIImport.operationsMax else {
                throw .validation("value", "The document has more than \(OpenAPIImport.operationsMax) operations.")
            }
            guard OpenAPIImport.methods.contains(verb) else {
                throw .validation("value", "The method \"\(verb.prefix(40))\" cannot be imported.")
            }
            let name = path.isEmpty ? "/" : path
            let place = places[name] ?? paths.count
            if place == paths.count {
                places[name] = place
                paths.append((name, JSONObject()))
            }
            paths[place].value[verb] = .object(try operation(method, parameters))
        }
        for child in resource.all("resource") {
            let own = (child.attributes["path"] ?? "").split(separator: "/").joined(separator: "/")
            try add(child, own.isEmpty ? path : "\(path)/\(own)", parameters, depth: depth + 1)
        }
    }

    /// Counts a text that is taken, before it is.
    private mutating func spend(_ element: XMLElement?) throws(APIError) {
        let texts = (element?.text.utf8.count ?? 0) + (element?.attributes.reduce(0) { $0 + $1.value.utf8.count } ?? 0)
        bytesLeft -= texts + Self.entryBytes
        guard bytesLeft >= 0 else {
            throw .validation(
                "value",
                "The operations of the document hold more than \(Self.textBytesMax >> 20) MiB with what their references lead to."
            )
        }
    }

    private mutating func operation(_ method: XMLElement, _ shared: [JSONValue]) throws(APIError) -> JSONObject {
        try spend(method)
        try spend(method.all("doc").first)
        var operation = JSONObject()
        operation["operationId"] = method.attributes["id"].map { .string($0) }
        operation["summary"] = method.all("doc").first?.attributes["title"].map { .string($0) }
        operation["description"] = method.all("doc").first?.trimmed.map { .string($0) }
        let request = method.all("request").first
        let own = try parameters(request?.all("param") ?? [], "query")
        operation["parameters"] = .array(shared + own)
        let bodies = try content(request)
        if !bodies.isEmpty { operation["requestBody"] = ["content": .object(bodies)] }
        var responses: [(name: String, value: JSONValue)] = []
        for response in method.all("response") {
            try spend(response.all("doc").first)
            var headers: [(name: String, value: JSONValue)] = []
            for header in response.all("param") where header.attributes["style"] == "header" {
                if let described = try parameter(header, "header") {
                    headers.append((header.attributes["name"] ?? "", described))
                }
            }
            let answer: JSONValue = [
                "description": .string(response.all("doc").first?.trimmed ?? ""),
                "headers": .object(JSONObject(headers)),
                "content": .object(try content(response)),
            ]
            for status in (response.attributes["status"] ?? "200").split(separator: " ") {
                responses.append((String(status), answer))
            }
        }
        operation["responses"] = .object(JSONObject(responses))
        return operation
    }

    private mutating func content(_ holder: XMLElement?) throws(APIError) -> JSONObject {
        var content: [(name: String, value: JSONValue)] = []
        for item in (holder?.all("representation") ?? []).map(resolved) {
            try spend(item)
            content.append((item.attributes["mediaType"] ?? "application/xml", [:]))
        }
        return JSONObject(content)
    }

    private mutating func parameters(_ given: [XMLElement], _ place: String) throws(APIError) -> [JSONValue] {
        var result: [JSONValue] = []
        for element in given { if let parameter = try parameter(element, place) { result.append(parameter) } }
        return result
    }

    /// - Parameter place: where a parameter without a style stands.
    private mutating func parameter(_ given: XMLElement, _ place: String) throws(APIError) -> JSONValue? {
        let element = resolved(given)
        try spend(element)
        try spend(element.all("doc").first)
        guard let name = element.attributes["name"] else { return nil }
        let styles = ["template": "path", "query": "query", "header": "header"]
        // Matrix parameters are part of a segment, and plain ones of a body: neither is an operation's parameter.
        guard let place = element.attributes["style"].map({ styles[$0] }) ?? place else { return nil }
        var schema = JSONObject()
        let type = element.attributes["type"]?.split(separator: ":").last.map(String.init) ?? "string"
        schema["type"] = .string(["int", "long", "short"].contains(type) ? "integer" : type)
        schema["default"] = element.attributes["default"].map { .string($0) }
        var options: [JSONValue] = []
        for option in element.all("option") {
            try spend(option)
            if let value = option.attributes["value"] { options.append(.string(value)) }
        }
        if !options.isEmpty { schema["enum"] = .array(options) }
        var result: JSONObject = ["name": .string(name), "in": .string(place), "schema": .object(schema)]
        result["required"] = .bool(place == "path" || element.attributes["required"] == "true")
        result["description"] = element.all("doc").first?.trimmed.map { .string($0) }
        return .object(result)
    }

    /// What a reference of the document itself leads to.
    private func resolved(_ element: XMLElement) -> XMLElement {
        guard let reference = element.attributes["href"], reference.hasPrefix("#") else { return element }
        return named["\(element.local)\(reference)"] ?? element
    }
}

extension XMLElement {
    /// The name without the prefix of its namespace.
    fileprivate var local: String { name.split(separator: ":").last.map(String.init) ?? name }

    fileprivate func all(_ name: String) -> [XMLElement] { children.filter { $0.local == name } }

    /// The text without the space around it; nil where there is none.
    fileprivate var trimmed: String? {
        let words = text.split(whereSeparator: \.isWhitespace)
        return words.isEmpty ? nil : words.joined(separator: " ")
    }
}
