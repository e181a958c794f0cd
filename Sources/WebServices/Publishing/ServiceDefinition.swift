package import DataTables
import ResourceModel
package import StudioModules

/// A published service as a value: the plan that scores, and the schemas of its ports.
package final class ServiceDefinition: Sendable {
    package final class Port: Sendable {
        package let name: String
        package let columns: [ColumnSchema]
        /// UTF-8 of the port's name and of its columns' names, which requests are compared with.
        let nameBytes: [UInt8]
        let columnNameBytes: [[UInt8]]
        /// The places of the columns, in their order.
        let order: [Int]
        /// Whether each column holds plain texts.
        let hasOnlyTexts: Bool

        package init(name: String, columns: [ColumnSchema]) {
            self.name = name
            self.columns = columns
            nameBytes = Array(name.utf8)
            columnNameBytes = columns.map { Array($0.name.utf8) }
            order = Array(columns.indices)
            hasOnlyTexts = columns.allSatisfy { $0.type == .string && !$0.isCategorical }
        }
    }

    /// A wider input could not be written as a request anyway.
    package static let inputColumnsMax = 10_000
    /// Columns of an output that its swagger document names.
    package static let documentedColumnsMax = 10_000

    package let workspace: String
    package let serviceID: String
    package let name: String
    package let description: String
    package let plan: ScoringPlan
    package let inputs: [Port]
    package let outputs: [(name: String, schema: TableSchema)]

    /// Columns of all outputs together, as published.
    package let outputWidth: Int

    package init(
        workspace: String,
        serviceID: String,
        name: String,
        description: String,
        plan: ScoringPlan,
        inputs: [Port],
        outputs: [(name: String, schema: TableSchema)]
    ) {
        self.workspace = workspace
        self.serviceID = serviceID
        self.name = name
        self.description = description
        let empty = inputs.map { DataTable(columns: $0.columns.map(\.column)) }
        let plan = plan.prepared(for: empty)
        self.plan = plan
        self.inputs = inputs
        self.outputs = outputs
        outputWidth = outputs.reduce(0) { $0 + $1.schema.columnCount }
        isRowWise = plan.isRowWise
        // Modules that go row by row give the columns that they gave in the run, unless a caller may set their parameters.
        guard isRowWise, plan.parameters.isEmpty, plan.outputs.count == 1, outputWidth <= Self.fixedHeadColumnsMax,
            let output = outputs.first,
            let answer = try? plan.score(empty, context: ModuleContext()).first
        else {
            fixedHead = nil
            return
        }
        fixedHead = RRSResponseWriter.fixedHead((output.name, answer))
    }

    /// Columns up to which the head of an answer is kept ready.
    private static let fixedHeadColumnsMax = 4096
    /// What stands before the rows of every answer in table form with details; nil where it may differ.
    let fixedHead: [UInt8]?

    /// Whether each row of an answer follows from one row of the call.
    package let isRowWise: Bool
}

/// An endpoint of a service, ready to score.
package final class ScoringEndpoint: Sendable {
    package let id: String
    package let name: String
    package let definition: ServiceDefinition
    package let maxConcurrentCalls: Int
    /// Keyed hashes of the two keys.
    let keyHashes: [[UInt8]]
    let running = RunningCount()

    package init(
        id: String,
        name: String,
        definition: ServiceDefinition,
        maxConcurrentCalls: Int,
        keyHashes: [[UInt8]]
    ) {
        self.id = id
        self.name = name
        self.definition = definition
        self.maxConcurrentCalls = maxConcurrentCalls
        self.keyHashes = keyHashes
    }
}
