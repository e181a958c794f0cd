/// `set-query-parameter`: sets, adds to, or takes out a parameter of the request's query.
struct SetQueryParameterPolicy: PolicyStep {
    static let definition = PolicyDefinition("set-query-parameter", sections: [.inbound, .backend]) {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        try compiler.only(element, attributes: ["name", "exists-action"], children: ["value"])
        let action: SetHeaderPolicy.ExistsAction = try compiler.choice(element, "exists-action", default: .override)
        let written = try compiler.values(element)
        // As in set-header: values in what deletes mean nothing.
        let values = action == .delete ? [] : written
        guard action == .delete || !values.isEmpty else {
            throw compiler.problem("<set-query-parameter> needs a <value>.", at: element.offset)
        }
        steps.add(
            SetQueryParameterPolicy(name: try compiler.needValue(element, "name"), action: action, values: values)
        )
    }

    let name: CompiledValue
    let action: SetHeaderPolicy.ExistsAction
    let values: [CompiledValue]

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        let name = try name.text(call)
        var given: [String] = []
        for value in values { given.append(try value.text(call).trimmingBlanks) }
        var list = QueryList(call.request.currentQuery)
        if action == .skip, !list.values(name).isEmpty { return .next }
        if action == .override || action == .delete { list.remove(name) }
        for value in given { list.append(name, value) }
        call.request.query = list.text
        return .next
    }
}
