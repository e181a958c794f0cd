package import ResourceModel

/// The checked values of a module's parameters, defaults filled in.
package struct BoundParameters: Sendable, Equatable {
    package private(set) var values: [String: ParameterValue] = [:]

    /// - Throws: `ModuleError` naming a parameter that is unknown, missing, of another kind or out of range.
    package init(_ json: JSONObject, for descriptor: ModuleDescriptor) throws(ModuleError) {
        for member in json.members where !descriptor.parameters.contains(where: { $0.name == member.name }) {
            throw ModuleError(.unparsable, "The module \"\(descriptor.name)\" has no parameter \"\(member.name)\".")
        }
        for parameter in descriptor.parameters {
            if let given = json[parameter.name] {
                values[parameter.name] = try parameter.value(given)
            } else if let fallback = parameter.fallback {
                values[parameter.name] = fallback
            } else {
                throw ModuleError(.nullOrEmpty, "Parameter \"\(parameter.name)\" is missing.")
            }
        }
    }

    package mutating func set(_ name: String, _ value: ParameterValue) { values[name] = value }

    package func int(_ name: String) -> Int {
        guard case .int(let value) = values[name] else { preconditionFailure("no integer parameter \(name)") }
        return value
    }

    package func double(_ name: String) -> Double {
        guard case .double(let value) = values[name] else { preconditionFailure("no float parameter \(name)") }
        return value
    }

    package func bool(_ name: String) -> Bool {
        guard case .bool(let value) = values[name] else { preconditionFailure("no boolean parameter \(name)") }
        return value
    }

    package func string(_ name: String) -> String {
        guard case .string(let value) = values[name] else { preconditionFailure("no string parameter \(name)") }
        return value
    }

    package func columns(_ name: String) -> ColumnSelection {
        guard case .columns(let value) = values[name] else { preconditionFailure("no column parameter \(name)") }
        return value
    }

    /// A text that is the same for the same values, whatever the order they were written in.
    package var canonicalText: String {
        values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.json.text)" }.joined(separator: "\n")
    }
}
