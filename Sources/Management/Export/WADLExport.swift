import ResourceModel

/// Writes an API as WADL (contracts/api-management.md 7).
enum WADLExport {
    static func text(_ described: DescribedAPI) -> String {
        let properties = described.api.properties
        var resources = XMLElement("resources")
        resources.attributes["base"] = described.addresses.first ?? ""
        var places: [String: Int] = [:]
        for operation in described.operations {
            let template = operation.properties["urlTemplate"]?.string ?? "/"
            let place = places[template] ?? resources.children.count
            if place == resources.children.count {
                places[template] = place
                resources.children.append(resource(template, operation.properties))
            }
            resources.children[place].children.append(method(operation))
        }
        var application = XMLElement("application")
        application.attributes["xmlns"] = "http://wadl.dev.java.net/2009/02"
        application.attributes["xmlns:xs"] = "http://www.w3.org/2001/XMLSchema"
        application.children = [
            doc(properties["displayName"]?.string ?? described.api.id.name, properties["description"]?.string),
            resources,
        ]
        var text = XMLText()
        text.write(application)
        return text.text
    }

    private static func doc(_ title: String, _ description: String?) -> XMLElement {
        var doc = XMLElement("doc", description ?? "")
        doc.attributes["title"] = title
        return doc
    }

    /// The parameters of the path belong to the resource; those of the query to each of its methods.
    private static func resource(_ template: String, _ operation: JSONObject) -> XMLElement {
        var resource = XMLElement("resource")
        let path = template.prefix { $0 != "?" }
        resource.attributes["path"] = String(path)
        for item in operation["templateParameters"]?.array ?? [] where isOfPath(item, path) {
            resource.children.append(parameter(item, "template", isRequired: true))
        }
        return resource
    }

    private static func isOfPath(_ item: JSONValue, _ path: Substring) -> Bool {
        let name = item["name"]?.string?.lowercased() ?? ""
        return ["{\(name)}", "{*\(name)}"].contains { path.lowercased().contains($0) }
    }

    private static func method(_ operation: Resource) -> XMLElement {
        let properties = operation.properties
        var method = XMLElement("method")
        method.attributes = ["id": operation.id.name, "name": properties["method"]?.string ?? "GET"]
        let title = properties["displayName"]?.string ?? operation.id.name
        method.children.append(doc(title, properties["description"]?.string))
        let path = (properties["urlTemplate"]?.string ?? "").prefix { $0 != "?" }
        var request = XMLElement("request")
        for item in properties["templateParameters"]?.array ?? [] where !isOfPath(item, path) {
            request.children.append(parameter(item, "query", isRequired: true))
        }
        let given = properties["request"]
        for (member, style) in [("queryParameters", "query"), ("headers", "header")] {
            request.children += (given?[member]?.array ?? []).map { parameter($0, style) }
        }
        request.children += (given?["representations"]?.array ?? []).map(representation)
        if !request.children.isEmpty { method.children.append(request) }
        for answer in properties["responses"]?.array ?? [] {
            var response = XMLElement("response")
            response.attributes["status"] = answer["statusCode"]?.int.map(String.init)
            if let text = answer["description"]?.string, !text.isEmpty {
                response.children.append(XMLElement("doc", text))
            }
            response.children += (answer["headers"]?.array ?? []).map { parameter($0, "header") }
            response.children += (answer["representations"]?.array ?? []).map(representation)
            method.children.append(response)
        }
        return method
    }

    private static func parameter(_ item: JSONValue, _ style: String, isRequired: Bool = false) -> XMLElement {
        var parameter = XMLElement("param")
        parameter.attributes = [
            "name": item["name"]?.string ?? "", "style": style, "type": "xs:\(item["type"]?.string ?? "string")",
        ]
        if isRequired || item["required"]?.bool == true { parameter.attributes["required"] = "true" }
        parameter.attributes["default"] = item["defaultValue"]?.string
        if let text = item["description"]?.string, !text.isEmpty { parameter.children.append(XMLElement("doc", text)) }
        for value in (item["values"]?.array ?? []).compactMap(\.string) {
            var option = XMLElement("option")
            option.attributes["value"] = value
            parameter.children.append(option)
        }
        return parameter
    }

    private static func representation(_ item: JSONValue) -> XMLElement {
        var representation = XMLElement("representation")
        representation.attributes["mediaType"] = item["contentType"]?.string
        representation.attributes["element"] = item["typeName"]?.string
        return representation
    }
}
