import Expressions

/// Makes steps of elements, and says with line and column what is wrong.
struct PolicyCompiler {
    /// Fragments inside fragments: a fragment may not hold itself, by whatever way.
    private static let fragmentDepthMax = 8
    /// Instructions of one section: composed for each operation that has policies.
    private static let instructionsMax = 10_000

    let source: PolicyText
    let scope: PolicyScope
    /// Whose document it is.
    let owner: String
    /// nil inside a fragment that is checked by itself.
    let section: PolicySection?
    let surroundings: PolicySurroundings
    private var fragmentDepth = 0
    private var seen: [String: Int] = [:]
    private var instructionCount = 0

    init(
        source: PolicyText,
        scope: PolicyScope,
        owner: String,
        section: PolicySection?,
        surroundings: PolicySurroundings
    ) {
        self.source = source
        self.scope = scope
        self.owner = owner
        self.section = section
        self.surroundings = surroundings
    }

    func problem(_ message: String, at offset: Int) -> PolicyDiagnostic { source.diagnostic(message, at: offset) }

    // MARK: - Sections

    /// The parts of a section of a document: policies, and places for the parent's.
    mutating func section(_ element: PolicyElement) throws(PolicyDiagnostic) -> [PolicyDocument.Part] {
        try noText(element)
        if let attribute = element.attributes.first {
            throw problem("<\(element.name)> has no attributes.", at: attribute.offset)
        }
        var parts: [PolicyDocument.Part] = []
        var counts: [String: Int] = [:]
        var hasBase = false
        for child in element.children {
            if child.name == "base" {
                try noContent(child)
                guard !hasBase else { throw problem("<base /> may stand once in a section.", at: child.offset) }
                hasBase = true
                // The widest scope has no parent: there is nothing to insert.
                parts.append(.base)
            } else {
                parts.append(.steps(try policy(child, below: "", &counts)))
            }
        }
        return parts
    }

    /// The steps of policies one after another, as the children of `choose` hold them.
    mutating func policies(
        _ elements: [PolicyElement],
        below path: String
    ) throws(PolicyDiagnostic)
        -> [PolicyInstruction]
    {
        var result: [PolicyInstruction] = []
        var counts: [String: Int] = [:]
        for element in elements {
            guard element.name != "base" else {
                throw problem("<base /> may stand directly in a section only.", at: element.offset)
            }
            result += try policy(element, below: path, &counts)
        }
        return result
    }

    private mutating func policy(
        _ element: PolicyElement,
        below path: String,
        _ counts: inout [String: Int]
    ) throws(PolicyDiagnostic) -> [PolicyInstruction] {
        let name = element.name
        guard let definition = PolicyCatalogue.definition(name) else {
            let isKnown = PolicyCatalogue.refused.contains(name)
            throw problem(
                isKnown
                    ? "The policy <\(name)> is not supported yet."
                    : "There is no policy <\(source.quotable((element.offset + 1)..<(element.offset + 1 + name.utf8.count)))>.",
                at: element.offset
            )
        }
        if let section, !definition.sections.contains(section) {
            throw problem("<\(name)> may not stand in the section <\(section.rawValue)>.", at: element.offset)
        }
        guard definition.scopes.contains(scope) else {
            throw problem("<\(name)> may not stand at the scope \(scope.rawValue).", at: element.offset)
        }
        seen[name, default: 0] += 1
        if definition.isSingle, seen[name, default: 0] > 1 {
            throw problem("<\(name)> may stand once in a document.", at: element.offset)
        }
        counts[name, default: 0] += 1
        let place = "\(path.isEmpty ? "" : path + "/")\(name)[\(counts[name, default: 1])]"
        var steps = PolicySteps(
            policy: name,
            policyID: try literal(element, "id"),
            scope: scope,
            path: place
        )
        try definition.compile(element, &self, &steps)
        instructionCount += steps.instructions.count
        guard instructionCount <= PolicyCompiler.instructionsMax else {
            throw problem("The section has more than \(PolicyCompiler.instructionsMax) steps.", at: element.offset)
        }
        return steps.instructions
    }

    /// The steps of a fragment, in the place of the element that names it.
    mutating func fragment(
        _ id: String,
        _ element: PolicyElement,
        below path: String
    ) throws(PolicyDiagnostic)
        -> [PolicyInstruction]
    {
        guard let fragment = surroundings.fragment(id) else {
            throw problem("There is no policy fragment of this id.", at: element.offset)
        }
        guard fragmentDepth < PolicyCompiler.fragmentDepthMax else {
            throw problem("Fragments are nested more than \(PolicyCompiler.fragmentDepthMax) deep.", at: element.offset)
        }
        do throws(PolicyDiagnostic) {
            let surroundings = surroundings
            let source = try PolicyText(fragment.text) { surroundings.namedValue($0) }
            let root = try PolicyParser.parse(source, isRaw: fragment.isRaw, root: "fragment")
            var inner = PolicyCompiler(
                source: source,
                scope: scope,
                owner: owner,
                section: section,
                surroundings: surroundings
            )
            inner.fragmentDepth = fragmentDepth + 1
            inner.seen = seen
            let steps = try inner.policies(root.children, below: path)
            seen = inner.seen
            return steps
        } catch {
            throw problem("In the fragment: \(error.description)", at: element.offset)
        }
    }

    // MARK: - Elements

    /// Refuses attributes and children that are not among these.
    func only(
        _ element: PolicyElement,
        attributes: Set<String>,
        children: Set<String> = [],
        text: Bool = false
    ) throws(PolicyDiagnostic) {
        for attribute in element.attributes where attribute.name != "id" && !attributes.contains(attribute.name) {
            let range = attribute.offset..<(attribute.offset + attribute.name.utf8.count)
            throw problem("<\(element.name)> has no attribute \"\(source.quotable(range))\".", at: attribute.offset)
        }
        for child in element.children where !children.contains(child.name) {
            let start = child.offset + 1
            throw problem(
                "<\(element.name)> may not hold <\(source.quotable(start..<(start + child.name.utf8.count)))>.",
                at: child.offset
            )
        }
        if !text { try noText(element) }
    }

    private func noText(_ element: PolicyElement) throws(PolicyDiagnostic) {
        if let text = element.text { throw problem("<\(element.name)> may not hold text.", at: text.offset) }
    }

    func noContent(_ element: PolicyElement) throws(PolicyDiagnostic) { try only(element, attributes: []) }

    func attribute(_ element: PolicyElement, _ name: String) -> PolicyAttribute? {
        element.attributes.first { $0.name == name }
    }

    /// Whether an attribute's value may be shown: none of it comes from a named value.
    func isQuotable(_ element: PolicyElement, _ name: String) -> Bool {
        guard let value = attribute(element, name)?.value else { return true }
        // A byte may be written as an entity of six; looked at too far, at worst a name is not shown.
        return !source.holdsNamedValue(value.offset..<(value.offset + 6 * value.text.utf8.count))
    }

    func missing(_ name: String, _ element: PolicyElement) -> PolicyDiagnostic {
        problem("<\(element.name)> needs the attribute \"\(name)\".", at: element.offset)
    }

    /// An attribute that takes no expression; nil where it is not there.
    func literal(_ element: PolicyElement, _ name: String) throws(PolicyDiagnostic) -> String? {
        guard let attribute = attribute(element, name) else { return nil }
        guard attribute.value.kind == .literal else {
            throw problem("\"\(name)\" takes no expression.", at: attribute.offset)
        }
        return attribute.value.text
    }

    func needLiteral(_ element: PolicyElement, _ name: String) throws(PolicyDiagnostic) -> String {
        guard let text = try literal(element, name), !text.isEmpty else { throw missing(name, element) }
        return text
    }

    func number(_ element: PolicyElement, _ name: String, _ range: ClosedRange<Int>) throws(PolicyDiagnostic) -> Int? {
        guard let text = try literal(element, name) else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw problem(
                "\"\(name)\" must be a whole number from \(range.lowerBound) to \(range.upperBound).",
                at: attribute(element, name)?.offset ?? element.offset
            )
        }
        return value
    }

    func needNumber(_ element: PolicyElement, _ name: String, _ range: ClosedRange<Int>) throws(PolicyDiagnostic) -> Int
    {
        guard let value = try number(element, name, range) else { throw missing(name, element) }
        return value
    }

    func flag(_ element: PolicyElement, _ name: String, default fallback: Bool) throws(PolicyDiagnostic) -> Bool {
        switch try literal(element, name)?.lowercased() {
        case nil: return fallback
        case "true": return true
        case "false": return false
        default:
            throw problem(
                "\"\(name)\" must be true or false.",
                at: attribute(element, name)?.offset ?? element.offset
            )
        }
    }

    func choice<Word: RawRepresentable<String> & CaseIterable>(
        _ element: PolicyElement,
        _ name: String,
        default fallback: Word?
    ) throws(PolicyDiagnostic) -> Word {
        guard let text = try literal(element, name) else {
            guard let fallback else { throw missing(name, element) }
            return fallback
        }
        guard let word = Word(rawValue: text) else {
            let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw problem(
                "\"\(name)\" must be one of \(words).",
                at: attribute(element, name)?.offset ?? element.offset
            )
        }
        return word
    }

    // MARK: - Values

    /// An attribute that may be an expression; nil where it is not there.
    func value(_ element: PolicyElement, _ name: String) throws(PolicyDiagnostic) -> CompiledValue? {
        guard let attribute = attribute(element, name) else { return nil }
        return try value(attribute.value)
    }

    func needValue(_ element: PolicyElement, _ name: String) throws(PolicyDiagnostic) -> CompiledValue {
        guard let value = try value(element, name), value.constantText != "" else { throw missing(name, element) }
        return value
    }

    func value(_ value: PolicyValue) throws(PolicyDiagnostic) -> CompiledValue {
        switch value.kind {
        case .literal: return .constant(value.text)
        case .block:
            throw problem("Expressions of several statements, \"@{…}\", are not supported yet.", at: value.offset)
        case .expression:
            do throws(ExpressionError) { return .program(try ExpressionProgram(value.text)) } catch {
                // Messages quote names, and what a named value put there may be a secret.
                let range = value.offset..<(value.offset + value.text.utf8.count)
                guard !source.holdsNamedValue(range) else {
                    throw problem("The expression cannot be read with its named values in it.", at: value.offset)
                }
                throw problem(error.message, at: value.offset + error.offset)
            }
        }
    }

    /// The `<value>` elements of a policy; one without text is an empty value.
    func values(_ element: PolicyElement) throws(PolicyDiagnostic) -> [CompiledValue] {
        var result: [CompiledValue] = []
        for child in element.children {
            try only(child, attributes: [], text: true)
            result.append(try child.text.map { text throws(PolicyDiagnostic) in try value(text) } ?? .constant(""))
        }
        return result
    }

    /// An attribute that must be a bool, as a word or an expression.
    func condition(_ element: PolicyElement, _ name: String) throws(PolicyDiagnostic) -> CompiledValue {
        let value = try needValue(element, name)
        switch value {
        case .constant(let text):
            guard ["true", "false"].contains(text.lowercased()) else {
                throw problem(
                    "\"\(name)\" must be true, false or an expression of them.",
                    at: attribute(element, name)?.offset ?? element.offset
                )
            }
        case .program(let program):
            guard program.type == .bool || program.type == .object else {
                throw problem(
                    "\"\(name)\" must be an expression of type bool.",
                    at: attribute(element, name)?.offset ?? element.offset
                )
            }
        }
        return value
    }
}

/// A value of a policy: known, or computed for each call.
enum CompiledValue: Sendable {
    case constant(String)
    case program(ExpressionProgram)

    var constantText: String? {
        if case .constant(let text) = self { return text }
        return nil
    }

    /// Whether it is known only once there is an answer.
    var readsResponse: Bool {
        if case .program(let program) = self { return program.readsResponse }
        return false
    }

    func value(_ call: PolicyCall) throws(PolicyFailure) -> ExpressionValue {
        switch self {
        case .constant(let text): return .string(text)
        case .program(let program):
            do throws(EvaluationFailure) { return try program.value(call) } catch {
                throw .evaluation(error.message)
            }
        }
    }

    func text(_ call: PolicyCall) throws(PolicyFailure) -> String {
        if case .constant(let text) = self { return text }
        return try value(call).text
    }

    /// A text that may stand in a field of a head: one that would end its line is refused, whoever wrote it.
    func fieldText(_ call: PolicyCall) throws(PolicyFailure) -> String {
        let text = try text(call).trimmingBlanks
        guard FieldText.isValue(text) else { throw .evaluation("The value cannot stand in a header.") }
        return text
    }

    func bool(_ call: PolicyCall) throws(PolicyFailure) -> Bool {
        switch try value(call) {
        case .bool(let value): return value
        case .string(let text) where text.lowercased() == "true": return true
        case .string(let text) where text.lowercased() == "false": return false
        default: throw .evaluation("The condition is not a bool.")
        }
    }

    func int(_ call: PolicyCall) throws(PolicyFailure) -> Int {
        switch try value(call) {
        case .int(let value): return Int(value)
        case .string(let text):
            if let value = Int(text) { return value }
        default: break
        }
        throw .evaluation("The value is not a whole number.")
    }
}

extension String {
    /// The text without blanks at its ends: people put values on lines of their own.
    var trimmingBlanks: String {
        let isBlank = { (byte: UInt8) in byte == 0x20 || (0x09...0x0D).contains(byte) }
        guard let first = utf8.first, let last = utf8.last, isBlank(first) || isBlank(last) else { return self }
        let start = utf8.firstIndex { !isBlank($0) } ?? utf8.endIndex
        let end = utf8.lastIndex { !isBlank($0) }.map { utf8.index(after: $0) } ?? start
        return String(self[start..<end])
    }
}

/// What may stand in the lines of a head.
enum FieldText {
    static func isName(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }

    static func isValue(_ text: String) -> Bool { text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 } }
}
