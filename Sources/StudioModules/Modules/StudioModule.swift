package import DataTables

/// A node's work: tables and transforms in, tables and transforms out; knows no files, no network and no clock.
package protocol StudioModule: Sendable {
    static var descriptor: ModuleDescriptor { get }

    /// - Throws: `ModuleError` for values that are each allowed and together are not.
    init(_ parameters: BoundParameters) throws(ModuleError)

    /// - Parameter inputs: one value a port of the descriptor, nil where an optional port has no edge.
    /// - Returns: one value a port of the descriptor.
    func run(_ inputs: [PortValue?], _ context: ModuleContext) throws(ModuleError) -> [PortValue]

    /// The same module, ready for inputs that have these columns, whatever their rows: what only depends on columns is worked out once.
    func prepared(for inputs: [PortValue?]) -> Self
}

extension StudioModule {
    package func prepared(for inputs: [PortValue?]) -> Self { self }
}

/// What travels along an edge.
package enum PortValue: Sendable, Equatable {
    case table(DataTable)
    case transform(CleaningTransform)

    package var table: DataTable? {
        guard case .table(let table) = self else { return nil }
        return table
    }
}

/// What a module may ask of whoever runs it.
package struct ModuleContext: Sendable {
    /// Rows between two questions whether to go on: often enough that a hang-up frees the thread within milliseconds.
    package static let rowsBetweenChecks = 1024

    private let isCancelled: (@Sendable () -> Bool)?

    package init(isCancelled: (@Sendable () -> Bool)? = nil) { self.isCancelled = isCancelled }

    package func checkCancelled(row: Int) throws(ModuleError) {
        guard row % ModuleContext.rowsBetweenChecks == 0, let isCancelled, isCancelled() else { return }
        throw ModuleError(.operationFailed, ModuleContext.cancelledMessage)
    }

    package static let cancelledMessage = "The run was cancelled."
}

extension StudioModule {
    /// The table at a port that must have one.
    func table(_ inputs: [PortValue?], _ port: Int) throws(ModuleError) -> DataTable {
        guard port < inputs.count, let table = inputs[port]?.table else {
            throw ModuleError(.nullOrEmpty, "Input \"\(Self.descriptor.inputs[port].name)\" is null or empty.")
        }
        return table
    }
}
