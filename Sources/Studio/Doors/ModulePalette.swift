import ResourceModel
import StudioModules

/// The palette as a document: names, categories, ports and parameters of every module.
enum ModulePalette {
    static var json: JSONValue {
        .array(
            ModuleCatalogue.modules.map { module in
                let descriptor = module.descriptor
                return [
                    "Name": .string(descriptor.name), "Version": .int(descriptor.version),
                    "Category": .array(descriptor.category.map(JSONValue.string)),
                    "Inputs": ports(descriptor.inputs), "Outputs": ports(descriptor.outputs),
                    "Parameters": .array(descriptor.parameters.map(parameter)),
                ]
            }
        )
    }

    private static func ports(_ ports: [ModuleDescriptor.Port]) -> JSONValue {
        .array(
            ports.map {
                ["Name": .string($0.name), "Type": .string($0.type.rawValue), "Optional": .bool($0.isOptional)]
            }
        )
    }

    private static func parameter(_ parameter: ParameterDescriptor) -> JSONValue {
        var object: JSONObject = ["Name": .string(parameter.name)]
        switch parameter.kind {
        case .integer(let range):
            object["Type"] = "Integer"
            object["Min"] = .int(range.lowerBound)
            object["Max"] = .int(range.upperBound)
        case .float(let range):
            object["Type"] = "Float"
            object["Min"] = .double(range.lowerBound)
            object["Max"] = .double(range.upperBound)
        case .boolean: object["Type"] = "Boolean"
        case .string: object["Type"] = "String"
        case .choice(let words):
            object["Type"] = "Choice"
            object["Choices"] = .array(words.map(JSONValue.string))
        case .columns: object["Type"] = "ColumnSelection"
        }
        object["Default"] = parameter.fallback?.json ?? .null
        return .object(object)
    }
}
