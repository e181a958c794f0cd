package import DataTables

extension ScoringPlan {
    /// Outputs that have inputs in common, and what they need: scored by themselves, apart from the others.
    package struct Part: Sendable {
        /// Places of the service inputs.
        package let inputs: [Int]
        /// Places of the outputs.
        package let outputs: [Int]
        /// The module that must see the whole table; nil where the table may be cut into batches of rows.
        package let wholeTableModule: String?
        let isNeeded: [Bool]
    }

    /// The plan's outputs in parts that share no input.
    package var parts: [Part] {
        var groups: [(inputs: Set<Int>, outputs: [Int], steps: Set<Int>)] = []
        for (place, output) in outputs.enumerated() {
            var steps: Set<Int> = []
            var inputs: Set<Int> = []
            collect(output.slot, &steps, &inputs)
            var group = (inputs: inputs, outputs: [place], steps: steps)
            for (other, known) in groups.enumerated().reversed() where !known.inputs.isDisjoint(with: group.inputs) {
                group = (
                    group.inputs.union(known.inputs), known.outputs + group.outputs, group.steps.union(known.steps)
                )
                groups.remove(at: other)
            }
            groups.append(group)
        }
        return groups.map { group in
            var wholeTableModule: String?
            for step in group.steps.sorted() where wholeTableModule == nil {
                let descriptor = type(of: steps[step].module).descriptor
                if !descriptor.isRowWise { wholeTableModule = descriptor.name }
            }
            // Two tables side by side cannot be cut at the same rows.
            if group.inputs.count > 1, wholeTableModule == nil {
                wholeTableModule =
                    group.steps.max().map { type(of: steps[$0].module).descriptor.name } ?? "Web service output"
            }
            return Part(
                inputs: group.inputs.sorted(),
                outputs: group.outputs.sorted(),
                wholeTableModule: wholeTableModule,
                isNeeded: steps.indices.map { group.steps.contains($0) }
            )
        }
    }

    private func collect(_ slot: Slot, _ seen: inout Set<Int>, _ inputs: inout Set<Int>) {
        switch slot {
        case .serviceInput(let place): inputs.insert(place)
        case .step(let step, _):
            guard seen.insert(step).inserted else { return }
            for slot in steps[step].inputs { collect(slot, &seen, &inputs) }
        case .none, .frozen: break
        }
    }

    /// Scores the outputs of a part, in its order.
    ///
    /// - Parameters:
    ///   - tables: one table an input name, in their order; only those of the part count.
    ///   - values: the caller's parameters, already checked by their descriptors.
    package func score(
        _ part: Part,
        _ tables: [DataTable?],
        parameters values: [(name: String, value: ParameterValue)],
        context: ModuleContext
    ) throws(Failure) -> [DataTable] {
        try score(tables, values, context, isNeeded: part.isNeeded, part.outputs.map { outputs[$0] })
    }
}
