import ResourceModel
import StudioModules

/// A caller's parameters, judged by what the service has (contracts/ml-web-services.md 4.6).
enum ServiceParameters {
    static func value(
        _ name: String,
        _ json: JSONValue,
        _ definition: ServiceDefinition
    ) throws(ServiceError) -> ParameterValue {
        guard let parameter = definition.plan.parameters.first(where: { $0.name == name }) else {
            throw .badUserArgument("UnexpectedParameter", "The service has no parameter \"\(name.prefix(128))\".")
        }
        do throws(ModuleError) { return try parameter.descriptor.value(json) } catch {
            throw .badArgument("BadParameterValue", "The parameter \"\(name)\": \(error.message)")
        }
    }

    /// - Throws: where a parameter without a default is not among the names.
    static func checkRequired(_ names: [String], _ definition: ServiceDefinition) throws(ServiceError) {
        for parameter in definition.plan.parameters where !parameter.hasDefault && !names.contains(parameter.name) {
            throw .badUserArgument(
                "MissingRequiredGlobalParameters",
                "The parameter \"\(parameter.name)\" is required."
            )
        }
    }
}
