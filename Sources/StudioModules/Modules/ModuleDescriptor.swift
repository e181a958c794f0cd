package import ResourceModel

/// What the palette, the checks and the pages know of a module before it runs.
package struct ModuleDescriptor: Sendable {
    package struct Port: Sendable {
        package let name: String
        package let type: PortType
        package let isOptional: Bool

        package init(_ name: String, _ type: PortType = .dataTable, isOptional: Bool = false) {
            self.name = name
            self.type = type
            self.isOptional = isOptional
        }
    }

    package enum PortType: String, Sendable {
        case dataTable = "DataTable"
        case transform = "ITransform"
    }

    /// The label of the palette, which experiments name the module by.
    package let name: String
    /// Grows when the same inputs would give another output, so that cached outputs are not taken.
    package let version: Int
    /// Place in the palette, outermost first.
    package let category: [String]
    package let inputs: [Port]
    package let outputs: [Port]
    package let parameters: [ParameterDescriptor]
    /// Whether each output row follows from one input row, so that tables may be cut into batches.
    package let isRowWise: Bool

    package init(
        name: String,
        version: Int = 1,
        category: [String],
        inputs: [Port],
        outputs: [Port],
        parameters: [ParameterDescriptor] = [],
        isRowWise: Bool
    ) {
        self.name = name
        self.version = version
        self.category = category
        self.inputs = inputs
        self.outputs = outputs
        self.parameters = parameters
        self.isRowWise = isRowWise
    }
}

/// One parameter of a module: its label, its kind with the allowed range, and its default.
package struct ParameterDescriptor: Sendable {
    package enum Kind: Sendable {
        case integer(ClosedRange<Int>)
        case float(ClosedRange<Double>)
        case boolean
        case string
        case choice([String])
        case columns
    }

    package let name: String
    package let kind: Kind
    /// Nil where the caller must give a value.
    package let fallback: ParameterValue?

    package init(_ name: String, _ kind: Kind, default fallback: ParameterValue?) {
        self.name = name
        self.kind = kind
        self.fallback = fallback
    }

    /// The JSON Schema word for the kind, for swagger documents.
    package var schemaType: String {
        switch kind {
        case .integer: "integer"
        case .float: "number"
        case .boolean: "boolean"
        case .string, .choice, .columns: "string"
        }
    }

    /// - Throws: `ModuleError` naming the parameter when the value is of another kind or out of range.
    package func value(_ json: JSONValue) throws(ModuleError) -> ParameterValue {
        switch kind {
        case .integer(let range):
            guard let value = json.int ?? json.string.flatMap({ Int($0) }) else { throw unparsable(json) }
            guard range.contains(value) else {
                throw ModuleError(
                    .outOfRange,
                    "Parameter \"\(name)\" value should be in the range of [\(range.lowerBound), \(range.upperBound)]."
                )
            }
            return .int(value)
        case .float(let range):
            guard let value = json.double ?? json.string.flatMap({ Double($0) }), value.isFinite else {
                throw unparsable(json)
            }
            guard range.contains(value) else {
                throw ModuleError(
                    .outOfRange,
                    "Parameter \"\(name)\" value should be in the range of [\(range.lowerBound), \(range.upperBound)]."
                )
            }
            return .double(value)
        case .boolean:
            switch json {
            case .bool(let value): return .bool(value)
            case .string(let text) where text.lowercased() == "true": return .bool(true)
            case .string(let text) where text.lowercased() == "false": return .bool(false)
            default: throw unparsable(json)
            }
        case .string:
            switch json {
            case .string(let text): return .string(text)
            case .int, .double, .bool: return .string(json.text)
            default: throw unparsable(json)
            }
        case .choice(let words):
            guard let word = words.first(where: { $0.lowercased() == json.string?.lowercased() }) else {
                throw ModuleError(.unparsable, "Parameter \"\(name)\" must be one of \(words.joined(separator: ", ")).")
            }
            return .string(word)
        case .columns:
            return .columns(try ColumnSelection(json: json, parameter: name))
        }
    }

    private func unparsable(_ json: JSONValue) -> ModuleError {
        ModuleError(
            .unparsable,
            "Failed to parse parameter \"\(name)\": \(json.kind) where \(schemaType == "integer" ? "an integer" : "a \(schemaType)") is expected."
        )
    }
}

/// A parameter's value after its check.
package enum ParameterValue: Sendable, Equatable {
    case int(Int)
    case double(Double)
    case bool(Bool)
    case string(String)
    case columns(ColumnSelection)

    /// The value as experiments write it.
    package var json: JSONValue {
        switch self {
        case .int(let value): .int(value)
        case .double(let value): .double(value)
        case .bool(let value): .bool(value)
        case .string(let value): .string(value)
        case .columns(let value): value.json
        }
    }
}
