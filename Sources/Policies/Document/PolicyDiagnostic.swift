/// Something that is wrong with a policy document, with its place.
package struct PolicyDiagnostic: Error, Sendable, Equatable {
    package let message: String
    /// From 1.
    package let line: Int
    /// From 1, in characters.
    package let column: Int

    /// As management answers say it.
    package var description: String { "\(message) (line \(line), column \(column))" }
}
