import Policies
package import ResourceModel
import Telemetry

/// Takes out of a trace what its reader need not know: secret named values, and what is a secret by its name.
package struct TraceSecrets {
    /// Characters of a secret at least: shorter ones stand in every text, and are no secrets.
    private static let lengthMin = 4

    private let secrets: [String]

    /// - Parameter secrets: the values of the secret named values that the call's policies hold.
    package init(_ secrets: Set<String>) {
        let secrets = secrets.filter { $0.count >= TraceSecrets.lengthMin }
        // In an address a secret is written in other letters.
        let written = secrets.flatMap { secret in
            let escaped = PercentText.encoded(secret)
            let finished = PercentText.finished(secret.utf8, isQuery: true)
            return [secret, escaped, escaped.replacing("%20", with: "+"), finished]
        }
        // The longest first: one may hold another.
        self.secrets = Set(written).sorted { ($1.count, $1) < ($0.count, $0) }
    }

    /// A text without the secrets in it.
    package func hidden(_ text: String) -> String { secrets.reduce(text) { $0.replacing($1, with: Redactor.mark) } }

    /// Whether a field of that name holds a secret, whatever it says.
    package static func isSecret(name: String) -> Bool { Redactor.redact(key: name, value: "") == Redactor.mark }

    /// Whether a text holds one of them.
    package func isIn(_ text: String) -> Bool { secrets.contains { text.contains($0) } }

    package func hidden(_ value: JSONValue, key: String = "") -> JSONValue {
        if let text = value.string { return .string(hidden(text, key)) }
        if let items = value.array { return .array(items.map { hidden($0, key: key) }) }
        guard let object = value.object else { return value }
        var shown = JSONObject()
        // Fields of a head stand as a name with a value.
        let field = object["name"]?.string
        for member in object.members {
            shown[member.name] = hidden(member.value, key: member.name == "value" ? field ?? "value" : member.name)
        }
        return .object(shown)
    }

    private func hidden(_ text: String, _ key: String) -> String {
        hidden(Redactor.redact(key: key, value: text))
    }
}
