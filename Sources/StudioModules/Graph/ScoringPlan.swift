package import DataTables
package import ResourceModel

/// The part of a graph that a published service runs for each call: frozen values in, tables of the caller through.
package struct ScoringPlan: Sendable {
    /// Where a step's input comes from.
    package enum Slot: Sendable, Equatable {
        case none
        case frozen(Int)
        case serviceInput(Int)
        case step(Int, port: Int)
    }

    package struct Step: Sendable {
        package let node: String
        let type: any StudioModule.Type
        let parameters: BoundParameters
        fileprivate(set) var module: any StudioModule
        let inputs: [Slot]
    }

    /// A caller's parameter: which parameters of which steps it sets.
    package struct Parameter: Sendable {
        package let name: String
        package let descriptor: ParameterDescriptor
        package let hasDefault: Bool
        package let fallback: ParameterValue?
        let targets: [(step: Int, parameter: String)]
    }

    package struct Output: Sendable {
        package let name: String
        package let slot: Slot
    }

    package let inputNames: [String]
    package let outputs: [Output]
    package let parameters: [Parameter]
    package let steps: [Step]
    let frozen: [PortValue]

    /// Whether each row of the answer follows from one row of the call.
    package var isRowWise: Bool { steps.allSatisfy { type(of: $0.module).descriptor.isRowWise } }

    /// Why a call could not be scored, and at which node.
    package struct Failure: Error, Sendable {
        package let node: String
        package let module: String
        package let error: ModuleError
    }

    /// - Parameters:
    ///   - tables: one table an input name, in their order; nil for an input that the caller need not give.
    ///   - values: the caller's parameters, already checked by their descriptors.
    package func score(
        _ tables: [DataTable?],
        parameters values: [(name: String, value: ParameterValue)] = [],
        context: ModuleContext
    ) throws(Failure) -> [DataTable] {
        try score(tables, values, context, isNeeded: nil, outputs)
    }

    /// - Parameters:
    ///   - isNeeded: which steps the outputs need; nil for all.
    ///   - wanted: the outputs to give.
    func score(
        _ tables: [DataTable?],
        _ values: [(name: String, value: ParameterValue)],
        _ context: ModuleContext,
        isNeeded: [Bool]?,
        _ wanted: [Output]
    ) throws(Failure) -> [DataTable] {
        if steps.count == 1, isNeeded == nil, wanted.count == 1, case .step(0, let port) = wanted[0].slot {
            // One module is the common service: its answer is handed on without lists between.
            let inputs = steps[0].inputs.map { value($0, tables, []) }
            if let table = try run(steps[0], 0, values, inputs, context)[port].table { return [table] }
        }
        var results: [[PortValue]] = []
        results.reserveCapacity(steps.count)
        for place in steps.indices {
            if let isNeeded, !isNeeded[place] {
                results.append([])
                continue
            }
            let inputs = steps[place].inputs.map { value($0, tables, results) }
            results.append(try run(steps[place], place, values, inputs, context))
        }
        var answers: [DataTable] = []
        for output in wanted {
            guard let table = value(output.slot, tables, results)?.table else {
                throw Failure(
                    node: output.name,
                    module: "Web service output",
                    error: ModuleError(.nullOrEmpty, "Input \"Dataset\" is null or empty.")
                )
            }
            answers.append(table)
        }
        return answers
    }

    private func run(
        _ step: Step,
        _ place: Int,
        _ values: [(name: String, value: ParameterValue)],
        _ inputs: [PortValue?],
        _ context: ModuleContext
    ) throws(Failure) -> [PortValue] {
        do throws(ModuleError) {
            guard !values.isEmpty else { return try step.module.run(inputs, context) }
            return try rebound(step, place, values).run(inputs, context)
        } catch {
            throw Failure(node: step.node, module: step.type.descriptor.name, error: error)
        }
    }

    /// The same plan with modules that know the columns they will get.
    ///
    /// - Parameter tables: one without rows an input name, in their order.
    package func prepared(for tables: [DataTable]) -> ScoringPlan {
        var steps = steps
        var results: [[PortValue]] = []
        for place in steps.indices {
            let inputs = steps[place].inputs.map { value($0, tables, results) }
            steps[place].module = steps[place].module.prepared(for: inputs)
            // Modules that look at whole tables may have nothing to say without rows, or much work with those that are frozen.
            guard type(of: steps[place].module).descriptor.isRowWise,
                let outputs = try? steps[place].module.run(inputs, ModuleContext())
            else { break }
            results.append(outputs)
        }
        return ScoringPlan(
            inputNames: inputNames,
            outputs: outputs,
            parameters: parameters,
            steps: steps,
            frozen: frozen
        )
    }

    private func value(_ slot: Slot, _ tables: [DataTable?], _ results: [[PortValue]]) -> PortValue? {
        switch slot {
        case .none: nil
        case .frozen(let place): frozen[place]
        case .serviceInput(let place): tables[place].map(PortValue.table)
        case .step(let step, let port): results[step][port]
        }
    }

    private func rebound(
        _ step: Step,
        _ place: Int,
        _ values: [(name: String, value: ParameterValue)]
    ) throws(ModuleError) -> any StudioModule {
        var bound = step.parameters
        for (name, value) in values {
            for parameter in parameters where parameter.name == name {
                for target in parameter.targets where target.step == place { bound.set(target.parameter, value) }
            }
        }
        return bound == step.parameters ? step.module : try step.type.init(bound)
    }
}

extension ScoringPlan {
    /// What publishing a graph needs from its last run.
    package struct Publication: Sendable {
        package let definition: JSONValue
        /// The values that no call changes, computed once.
        package let frozen: [PortValue]
        package let inputs: [(name: String, schema: TableSchema)]
        package let outputs: [(name: String, schema: TableSchema)]
    }

    /// Cuts the graph down to what its service outputs need.
    ///
    /// - Parameter outputs: each node's outputs of the run that is published.
    /// - Throws: `GraphError` where the run did not give what publishing needs.
    package static func publish(
        _ graph: ExperimentGraph,
        outputs: [[PortValue]?]
    ) throws(GraphError) -> Publication {
        var builder = PublicationBuilder(graph: graph, outputs: outputs)
        return try builder.build()
    }

    /// Reads a stored definition.
    ///
    /// - Throws: `GraphError` when a module of it is not there any more.
    package init(definition: JSONValue, frozen: [PortValue]) throws(GraphError) {
        self.frozen = frozen
        inputNames = definition["inputs"]?.array?.compactMap(\.string) ?? []
        var steps: [Step] = []
        for json in definition["steps"]?.array ?? [] {
            guard let node = json["node"]?.string, let name = json["module"]?.string,
                let type = ModuleCatalogue.module(named: name)
            else { throw GraphError("The service's definition names an unknown module.") }
            do {
                let parameters = try BoundParameters(json["parameters"]?.object ?? JSONObject(), for: type.descriptor)
                steps.append(
                    Step(
                        node: node,
                        type: type,
                        parameters: parameters,
                        module: try type.init(parameters),
                        inputs: (json["inputs"]?.array ?? []).map(Slot.init(json:))
                    )
                )
            } catch { throw GraphError(node: node, error.description) }
        }
        self.steps = steps
        outputs = (definition["outputs"]?.array ?? []).map {
            Output(name: $0["name"]?.string ?? "", slot: Slot(json: $0["slot"] ?? .null))
        }
        parameters = (definition["parameters"]?.array ?? []).compactMap { json in
            let targets = (json["targets"]?.array ?? []).compactMap { target -> (step: Int, parameter: String)? in
                guard let step = target["step"]?.int, let parameter = target["parameter"]?.string else { return nil }
                return (step, parameter)
            }
            guard let name = json["name"]?.string, let first = targets.first, first.step < steps.count,
                let descriptor = steps[first.step].type.descriptor.parameters.first(where: {
                    $0.name == first.parameter
                })
            else { return nil }
            return Parameter(
                name: name,
                descriptor: descriptor,
                hasDefault: json["hasDefault"]?.bool ?? true,
                fallback: steps[first.step].parameters.values[first.parameter],
                targets: targets
            )
        }
    }
}

extension ScoringPlan.Slot {
    var json: JSONValue {
        switch self {
        case .none: .null
        case .frozen(let place): ["frozen": .int(place)]
        case .serviceInput(let place): ["input": .int(place)]
        case .step(let step, let port): ["step": .int(step), "port": .int(port)]
        }
    }

    init(json: JSONValue) {
        if let place = json["frozen"]?.int {
            self = .frozen(place)
        } else if let place = json["input"]?.int {
            self = .serviceInput(place)
        } else if let step = json["step"]?.int, let port = json["port"]?.int {
            self = .step(step, port: port)
        } else {
            self = .none
        }
    }
}
