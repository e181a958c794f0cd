/// `emit-metric`: adds a value to a metric of its author's, told at `/metrics`.
struct EmitMetricPolicy: PolicyStep {
    /// Dimensions of one metric (the service's own bound of custom ones is five beside its own).
    private static let dimensionsMax = 10
    /// Characters of a dimension's value: it is part of a series' name.
    private static let valueMax = 256

    private enum Dimension: Sendable {
        case value(CompiledValue)
        case known(@Sendable (PolicyCall) -> String?)
    }

    /// Dimensions that need no value.
    private static let known: [String: @Sendable (PolicyCall) -> String?] = [
        "API ID": { $0.facts.api.id },
        "Operation ID": { $0.facts.operation?.id },
        "Product ID": { $0.facts.product?.id },
        "User ID": { $0.facts.user?.id },
        "Subscription ID": { $0.facts.subscription?.id },
        "Location": { _ in "Local" },
        "Gateway ID": { _ in "managed" },
    ]

    static let definition = PolicyDefinition("emit-metric") { element, compiler, steps throws(PolicyDiagnostic) in
        try compiler.only(element, attributes: ["name", "value", "namespace"], children: ["dimension"])
        let value = try compiler.value(element, "value")
        if let text = value?.constantText, Double(text)?.isFinite != true {
            throw compiler.problem(
                "\"value\" must be a number.",
                at: compiler.attribute(element, "value")?.offset ?? element.offset
            )
        }
        var dimensions: [(name: String, dimension: Dimension)] = []
        for child in element.children {
            try compiler.only(child, attributes: ["name", "value"])
            let name = try compiler.needLiteral(child, "name")
            if let value = try compiler.value(child, "value") {
                dimensions.append((name, .value(value)))
            } else if let read = known[name] {
                dimensions.append((name, .known(read)))
            } else {
                throw compiler.problem(
                    "A dimension without a \"value\" must be one of \(known.keys.sorted().joined(separator: ", ")).",
                    at: child.offset
                )
            }
        }
        guard (1...dimensionsMax).contains(dimensions.count) else {
            throw compiler.problem("<emit-metric> needs 1 to \(dimensionsMax) dimensions.", at: element.offset)
        }
        steps.add(
            EmitMetricPolicy(
                name: try compiler.needLiteral(element, "name"),
                namespace: try compiler.literal(element, "namespace") ?? "",
                value: value,
                dimensions: dimensions
            )
        )
    }

    private let name: String
    private let namespace: String
    private let value: CompiledValue?
    private let dimensions: [(name: String, dimension: Dimension)]

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        var amount = 1.0
        if let value {
            guard let number = Double(try value.text(call)), number.isFinite else {
                throw .evaluation("The value of the metric is no number.")
            }
            amount = number
        }
        var values: [(name: String, value: String)] = []
        for (name, dimension) in dimensions {
            let text: String
            switch dimension {
            case .value(let value): text = try value.text(call)
            case .known(let read): text = read(call) ?? "N/A"
            }
            values.append((name, String(text.prefix(EmitMetricPolicy.valueMax))))
        }
        call.effects.emit(EmittedMetric(name: name, namespace: namespace, value: amount, dimensions: values))
        return .next
    }
}
