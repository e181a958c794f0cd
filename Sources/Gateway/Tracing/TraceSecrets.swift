import ResourceModel
import Telemetry

/// Takes out of a trace what its reader need not know: secret named values, and what is a secret by its name.
struct TraceSecrets {
    /// Characters of a secret at least: shorter ones stand in every text, and are no secrets.
    private static let lengthMin = 4

    private let secrets: [String]

    /// - Parameter secrets: the values of the secret named values that the call's policies hold.
    init(_ secrets: Set<String>) {
        // The longest first: one may hold another.
        self.secrets = secrets.filter { $0.count >= TraceSecrets.lengthMin }
            .sorted { ($1.count, $1) < ($0.count, $0) }
    }

    func hidden(_ value: JSONValue, key: String = "") -> JSONValue {
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
        secrets.reduce(Redactor.redact(key: key, value: text)) { $0.replacing($1, with: Redactor.mark) }
    }
}
