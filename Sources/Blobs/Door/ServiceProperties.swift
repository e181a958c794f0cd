import ResourceModel

/// The service properties of an account: logging, metrics, CORS and the rest, as documents in and out.
struct ServiceProperties {
    /// A rule of cross-origin sharing.
    struct CORSRule {
        let origins: [String]
        let methods: [String]
        let allowedHeaders: [String]
        let exposedHeaders: [String]
        let maxAge: Int
    }

    private static let rulesMax = 5
    /// What an account answers before anything was set.
    private static let defaults: [(name: String, xml: String)] = [
        (
            "Logging",
            "<Logging><Version>1.0</Version><Delete>false</Delete><Read>false</Read><Write>false</Write><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></Logging>"
        ),
        (
            "HourMetrics",
            "<HourMetrics><Version>1.0</Version><Enabled>false</Enabled><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></HourMetrics>"
        ),
        (
            "MinuteMetrics",
            "<MinuteMetrics><Version>1.0</Version><Enabled>false</Enabled><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></MinuteMetrics>"
        ),
        ("Cors", "<Cors />"),
        ("DefaultServiceVersion", ""),
        ("DeleteRetentionPolicy", "<DeleteRetentionPolicy><Enabled>false</Enabled></DeleteRetentionPolicy>"),
        ("StaticWebsite", "<StaticWebsite><Enabled>false</Enabled></StaticWebsite>"),
    ]

    /// One element a name, as text.
    private(set) var document: JSONObject

    init(document: JSONObject) { self.document = document }

    var xml: String {
        var text = XMLText()
        text.open("StorageServiceProperties")
        var inner = ""
        for (name, fallback) in Self.defaults { inner += document[name]?.string ?? fallback }
        text.raw(inner)
        text.close("StorageServiceProperties")
        return text.text
    }

    /// Takes what the document names; what it leaves out stays.
    mutating func update(_ root: XMLElement) throws(BlobError) {
        guard root.name == "StorageServiceProperties" else { throw .invalidXML("expected <StorageServiceProperties>.") }
        for element in root.children {
            guard Self.defaults.contains(where: { $0.name == element.name }) else {
                throw .xmlNode(element.name, "the element is not known.")
            }
            if element.name == "Cors" { _ = try Self.rules(element) }
            // The store keeps what it is told of logging, metrics and sites; it serves no sites and keeps no deleted blobs.
            if ["StaticWebsite", "DeleteRetentionPolicy"].contains(element.name), element.text("Enabled") == "true" {
                throw .unsupported("the feature \(element.name)")
            }
            document[element.name] = .string(element.xml)
        }
    }

    var rules: [CORSRule] {
        guard let text = document["Cors"]?.string, let root = try? XMLElement(parsing: Array(text.utf8)) else {
            return []
        }
        return (try? Self.rules(root)) ?? []
    }

    private static func rules(_ root: XMLElement) throws(BlobError) -> [CORSRule] {
        guard root.children.count <= rulesMax else { throw .xmlNode("Cors", "there are at most \(rulesMax) rules.") }
        var rules: [CORSRule] = []
        for element in root.children {
            let list = { (name: String) in
                (element.text(name) ?? "").split(separator: ",").map { String($0).trimmingSpaces }
            }
            let methods = list("AllowedMethods").map { $0.uppercased() }
            let known = ["DELETE", "GET", "HEAD", "MERGE", "POST", "OPTIONS", "PUT", "PATCH", "CONNECT", "TRACE"]
            guard !methods.isEmpty, methods.allSatisfy(known.contains) else {
                throw .xmlNode("AllowedMethods", "each must be an HTTP method.")
            }
            guard !list("AllowedOrigins").isEmpty else { throw .xmlNode("AllowedOrigins", "there must be one or *.") }
            let age = element.text("MaxAgeInSeconds") ?? "0"
            guard let maxAge = Int(age), maxAge >= 0 else {
                throw .xmlNode("MaxAgeInSeconds", "it must be a whole number.")
            }
            rules.append(
                CORSRule(
                    origins: list("AllowedOrigins"),
                    methods: methods,
                    allowedHeaders: list("AllowedHeaders").map { $0.lowercased() },
                    exposedHeaders: list("ExposedHeaders"),
                    maxAge: maxAge
                )
            )
        }
        return rules
    }
}

extension ServiceProperties.CORSRule {
    func allows(origin: String) -> Bool { origins.contains { $0 == "*" || $0 == origin } }

    /// Whether a header of a preflight may be sent: named, or by a prefix with a star.
    func allows(header: String) -> Bool {
        allowedHeaders.contains { $0 == "*" || $0 == header || ($0.hasSuffix("*") && header.hasPrefix($0.dropLast())) }
    }
}

extension String {
    var trimmingSpaces: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
