/// `include-fragment`: the policies of a fragment in this place.
enum IncludeFragmentPolicy {
    static let definition = PolicyDefinition("include-fragment") { element, compiler, steps throws(PolicyDiagnostic) in
        try compiler.only(element, attributes: ["fragment-id"])
        let id = try compiler.needLiteral(element, "fragment-id")
        steps.add(try compiler.fragment(id, element, below: steps.path))
    }
}
