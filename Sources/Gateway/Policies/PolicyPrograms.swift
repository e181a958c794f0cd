package import Policies

/// The programs of one loop: operations whose documents are the same run one program, which is made when it is first asked for.
///
/// Documents stay the same objects while others change, so that a change leaves the programs of everything else as they are. What
/// was not asked for between two changes is forgotten.
package struct PolicyPrograms {
    private struct Made {
        /// Held, so that no other document takes the place in memory that these are found by.
        let documents: [PolicyDocument]
        /// nil where calls are only forwarded.
        let program: PolicyProgram?
    }

    private var current: [[ObjectIdentifier]: Made] = [:]
    private var before: [[ObjectIdentifier]: Made] = [:]

    package init() {}

    /// What these documents make together, from the widest scope to the narrowest; nil where calls are only forwarded.
    package mutating func program(_ documents: [PolicyDocument]) -> PolicyProgram? {
        // An instance without policies pays nothing for them.
        if documents.count == 1, documents[0] === PolicyDocument.forwarding { return nil }
        let key = documents.map { ObjectIdentifier($0) }
        if let known = current[key] { return known.program }
        let made = before[key] ?? PolicyPrograms.make(documents)
        current[key] = made
        return made.program
    }

    private static func make(_ documents: [PolicyDocument]) -> Made {
        let program = PolicyProgram(documents)
        return Made(documents: documents, program: program.onlyForwards ? nil : program)
    }

    /// Something changed.
    ///
    /// - Returns: what is forgotten, for whoever frees it where nobody waits.
    package mutating func age() -> Any {
        let forgotten = before
        before = current
        current = [:]
        return forgotten
    }
}
