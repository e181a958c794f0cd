/// A policy as the catalogue knows it: where it may stand and how it compiles; one file each.
struct PolicyDefinition: Sendable {
    let name: String
    let sections: Set<PolicySection>
    let scopes: Set<PolicyScope>
    /// Whether it may stand once in a document.
    let isSingle: Bool
    /// Adds the steps of an element.
    let compile: @Sendable (PolicyElement, inout PolicyCompiler, inout PolicySteps) throws(PolicyDiagnostic) -> Void

    init(
        _ name: String,
        sections: Set<PolicySection> = Set(PolicySection.allCases),
        scopes: Set<PolicyScope> = Set(PolicyScope.allCases),
        isSingle: Bool = false,
        compile:
            @Sendable @escaping (PolicyElement, inout PolicyCompiler, inout PolicySteps) throws(PolicyDiagnostic) ->
            Void
    ) {
        self.name = name
        self.sections = sections
        self.scopes = scopes
        self.isSingle = isSingle
        self.compile = compile
    }
}

/// The steps of one policy while it compiles.
struct PolicySteps {
    private(set) var instructions: [PolicyInstruction] = []
    private let policy: String
    private let policyID: String?
    private let scope: PolicyScope
    /// As `choose[1]/when[2]`.
    let path: String

    init(policy: String, policyID: String?, scope: PolicyScope, path: String) {
        self.policy = policy
        self.policyID = policyID
        self.scope = scope
        self.path = path
    }

    mutating func add(_ step: any PolicyStep) {
        instructions.append(
            PolicyInstruction(step: step, policy: policy, policyID: policyID, scope: scope, path: path)
        )
    }

    mutating func add(_ steps: [PolicyInstruction]) { instructions += steps }
}
