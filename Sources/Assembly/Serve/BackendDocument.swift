import Gateway
import HTTPWire
import Management
import ResourceModel

/// What the gateway needs of a backend's document.
enum BackendDocument {
    static func members(_ properties: JSONObject) -> [ManagedBackend.Member] {
        BackendRules.members(properties).map {
            ManagedBackend.Member(id: $0.id, weight: max(1, $0.weight), priority: $0.priority)
        }
    }

    static func circuit(_ properties: JSONObject) -> CircuitRule? {
        guard let rule = properties["circuitBreaker"]?["rules"]?.array?.first, let condition = rule["failureCondition"]
        else { return nil }
        func seconds(_ value: JSONValue?) -> Int { Int(ISODuration.seconds(value?.string ?? "") ?? 60) }
        return CircuitRule(
            count: condition["count"]?.int,
            percentage: condition["percentage"]?.int,
            interval: seconds(condition["interval"]),
            tripDuration: seconds(rule["tripDuration"]),
            statuses: (condition["statusCodeRanges"]?.array ?? []).compactMap { range in
                guard let low = range["min"]?.int, let high = range["max"]?.int, low <= high else { return nil }
                return low...high
            },
            reasons: (condition["errorReasons"]?.array ?? []).compactMap(\.string),
            acceptsRetryAfter: rule["acceptRetryAfter"]?.bool ?? false
        )
    }

    /// What is checked of its certificate.
    static func checks(_ properties: JSONObject) -> UpstreamTLS.Checks {
        guard let tls = properties["tls"] else { return .full }
        return tls["validateCertificateChain"]?.bool == false
            ? .nothing : tls["validateCertificateName"]?.bool == false ? .chain : .full
    }

    /// The address with the checks of its certificate that the document asks for, and the certificate that it is shown.
    static func target(
        _ properties: JSONObject,
        _ backend: APIRoute.Backend,
        _ identity: ClientIdentity?
    ) -> APIRoute.Backend {
        guard case .http(let address, let prefix) = backend else { return backend }
        let target = UpstreamAddress(
            host: address.host,
            port: address.port,
            isTLS: address.isTLS,
            checks: checks(properties),
            identity: identity
        )
        return .http(target, pathPrefix: prefix)
    }

    /// - Parameter values: named values, by display name.
    static func credentials(_ text: String, _ values: [String: String]) -> ManagedBackend.Credentials {
        var credentials = ManagedBackend.Credentials()
        guard let document = try? JSONValue(parsing: text) else { return credentials }
        func filled(_ text: String) -> String {
            let result = Self.filled(text, values)
            // What could end a line of the head is not sent, whoever put it into the named value.
            return result.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } ? result : ""
        }
        func lists(_ name: String) -> [(name: String, values: [String])] {
            (document[name]?.object?.members ?? []).map { member in
                (member.name, (member.value.array ?? []).compactMap { $0.string.map(filled) })
            }
        }
        credentials.headers = lists("header")
        credentials.query = lists("query")
        if let scheme = document["authorization"]?["scheme"]?.string,
            let parameter = document["authorization"]?["parameter"]?.string
        {
            credentials.authorization = (scheme, filled(parameter))
        }
        return credentials
    }

    /// A text with named values in the place of their names; what a value holds is not looked at again.
    private static func filled(_ text: String, _ values: [String: String]) -> String {
        var result = ""
        var rest = text[...]
        while let open = rest.firstRange(of: "{{") {
            result += rest[..<open.lowerBound]
            let name = rest[open.upperBound...].prefix { $0 != "{" && $0 != "}" }
            let behind = rest[name.endIndex...]
            if behind.hasPrefix("}}"), let value = values[String(name)] {
                result += value
                rest = behind.dropFirst(2)
            } else {
                result += "{"
                rest = rest[rest.index(after: open.lowerBound)...]
            }
        }
        return result + rest
    }
}
