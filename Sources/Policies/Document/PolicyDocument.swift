/// A policy document that was read and compiled; immutable.
package final class PolicyDocument: Sendable {
    enum Part: Sendable {
        case steps([PolicyInstruction])
        /// `<base/>`: the parent scope's same section.
        case base
    }

    package let scope: PolicyScope
    /// A section that is not written is its parent's, as if it held `<base/>` alone; one that is empty is empty.
    private let sections: [PolicySection: [Part]]
    /// The values of secret named values that it holds, be it in fragments.
    let secrets: Set<String>
    /// Whether it may become another one without being changed: it names values or fragments, or did not compile.
    package let followsOthers: Bool

    /// Reads and compiles a document.
    ///
    /// - Parameters:
    ///   - isRaw: whether expressions stand as they are (`rawxml`), and not escaped (`xml`).
    ///   - owner: whose document it is; names its counters, so that a document that is compiled anew goes on counting.
    ///   - surroundings: the named values and fragments that the document may name.
    /// - Throws: `PolicyDiagnostic` with the first thing that is wrong.
    package init(
        _ text: String,
        isRaw: Bool,
        scope: PolicyScope,
        owner: String,
        surroundings: PolicySurroundings
    ) throws(PolicyDiagnostic) {
        self.scope = scope
        let source = try PolicyText(text) { surroundings.namedValue($0) }
        let root = try PolicyParser.parse(source, isRaw: isRaw, root: "policies")
        if let attribute = root.attributes.first {
            throw source.diagnostic("<policies> has no attributes.", at: attribute.offset)
        }
        var sections: [PolicySection: [Part]] = [:]
        for element in root.children {
            guard let section = PolicySection(rawValue: element.name) else {
                throw source.diagnostic(
                    "<policies> may hold inbound, backend, outbound and on-error; policies stand inside them.",
                    at: element.offset
                )
            }
            guard sections[section] == nil else {
                throw source.diagnostic("The section <\(section.rawValue)> stands twice.", at: element.offset)
            }
            var compiler = PolicyCompiler(
                source: source,
                scope: scope,
                owner: owner,
                section: section,
                surroundings: surroundings
            )
            sections[section] = try compiler.section(element)
        }
        self.sections = sections
        secrets = surroundings.secrets(in: text)
        followsOthers =
            !PolicyDocument.namedValues(in: text).isEmpty || !PolicyDocument.fragments(in: text).isEmpty
    }

    private init(scope: PolicyScope, sections: [PolicySection: [Part]], followsOthers: Bool = false) {
        self.scope = scope
        self.followsOthers = followsOthers
        secrets = []
        self.sections = sections
    }

    /// What stands at the global scope of an instance where nobody put a document: calls are forwarded.
    package static let forwarding = PolicyDocument(
        scope: .global,
        sections: [
            .backend: [
                .steps([
                    PolicyInstruction(
                        step: ForwardRequestPolicy(),
                        policy: "forward-request",
                        policyID: nil,
                        scope: .global,
                        path: "forward-request[1]"
                    )
                ])
            ]
        ]
    )

    /// What stands in the place of a stored document that does not compile: calls fail, since what it forbade is not known.
    package static func unusable(scope: PolicyScope) -> PolicyDocument {
        let step = PolicyInstruction(step: Unusable(), policy: "policies", policyID: nil, scope: scope, path: "")
        return PolicyDocument(scope: scope, sections: [.inbound: [.steps([step])]], followsOthers: true)
    }

    private struct Unusable: PolicyStep {
        func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
            throw .inside(
                "PolicyConfigurationFailure",
                "The policy document does not compile.",
                source: "configuration"
            )
        }
    }

    func instructions(_ section: PolicySection, base: [PolicyInstruction]) -> [PolicyInstruction] {
        guard let parts = sections[section] else { return base }
        var result: [PolicyInstruction] = []
        for part in parts {
            switch part {
            case .steps(let steps): result += steps
            case .base: result += base
            }
        }
        return result
    }

    /// Whether it answers with samples of operations, which must then be known.
    package var usesSamples: Bool {
        sections.values.contains { parts in
            parts.contains { part in
                if case .steps(let steps) = part { steps.contains { $0.step is MockResponsePolicy } } else { false }
            }
        }
    }

    /// Checks a fragment by itself; policies that the section of its user does not allow are found there.
    package static func checkFragment(
        _ text: String,
        isRaw: Bool,
        surroundings: PolicySurroundings
    ) throws(PolicyDiagnostic) {
        let source = try PolicyText(text) { surroundings.namedValue($0) }
        let root = try PolicyParser.parse(source, isRaw: isRaw, root: "fragment")
        var compiler = PolicyCompiler(
            source: source,
            scope: .operation,
            owner: "",
            section: nil,
            surroundings: surroundings
        )
        _ = try compiler.policies(root.children, below: "")
    }

    /// The ids of the fragments that a text may include, each once; one inside a comment counts as well.
    package static func fragments(in text: String) -> [String] {
        var found: [String] = []
        for piece in text.split(separator: "fragment-id").dropFirst() {
            let value = piece.drop { $0 != "\"" && $0 != "'" }.dropFirst()
            let id = String(value.prefix { $0 != "\"" && $0 != "'" })
            if !id.isEmpty, id.utf8.count <= 256, !found.contains(id) { found.append(id) }
        }
        return found
    }

    /// The display names of the named values that a text refers to, each once.
    package static func namedValues(in text: String) -> [String] { PolicyText.namedValues(in: text) }
}

/// What a document may refer to.
package struct PolicySurroundings: Sendable {
    /// A fragment's text, with its format.
    package struct Fragment: Sendable {
        package let text: String
        package let isRaw: Bool

        package init(text: String, isRaw: Bool) {
            self.text = text
            self.isRaw = isRaw
        }
    }

    /// What the operation that a document is of has for parameters, names in lower case.
    package struct Operation: Sendable {
        /// Those of its URL template.
        package let template: Set<String>
        /// Those that it declares for its query beside it.
        package let query: Set<String>
        /// Whether a document that names others is refused; one that is in force already is not.
        package let refusesOthers: Bool

        package init(template: Set<String>, query: Set<String>, refusesOthers: Bool) {
            self.template = template
            self.query = query
            self.refusesOthers = refusesOthers
        }
    }

    /// Of a document of one operation; nil where it is not known.
    package var operation: Operation?
    /// By display name.
    private let namedValues: [String: String]
    /// Display names.
    private let secretNames: Set<String>
    /// By id in lower case.
    private let fragments: [String: Fragment]
    /// Ids in lower case.
    private let backends: Set<String>

    package init(
        namedValues: [String: String] = [:],
        secretNames: Set<String> = [],
        fragments: [String: Fragment] = [:],
        backends: Set<String> = []
    ) {
        self.namedValues = namedValues
        self.secretNames = secretNames
        self.fragments = fragments
        self.backends = backends
    }

    func hasBackend(_ id: String) -> Bool { backends.contains(id.lowercased()) }

    func namedValue(_ name: String) -> String? { namedValues[name] }
    func fragment(_ id: String) -> Fragment? { fragments[id.lowercased()] }

    /// The values of secret named values in a text and in the fragments that it names.
    func secrets(in text: String) -> Set<String> {
        guard !secretNames.isEmpty else { return [] }
        var found: Set<String> = []
        var seen: Set<String> = []
        var texts = [text]
        while let text = texts.popLast() {
            for name in PolicyDocument.namedValues(in: text) where secretNames.contains(name) {
                if let value = namedValues[name] { found.insert(value) }
            }
            for id in PolicyDocument.fragments(in: text).map({ $0.lowercased() }) where seen.insert(id).inserted {
                if let fragment = fragments[id] { texts.append(fragment.text) }
            }
        }
        return found
    }
}
