import DataTables
import ResourceModel
import StudioModules
import Synchronization
import Testing

/// Keeps outputs in memory and counts what was taken.
final class MemoryCache: OutputCache {
    private let known = Mutex<[String: [PortValue]]>([:])
    func outputs(hash: String) async -> [PortValue]? { known.withLock { $0[hash] } }
    func store(_ values: [PortValue], hash: String) async { known.withLock { $0[hash] = values } }
}

@Suite struct GraphTests {
    private static func node(_ id: String, _ module: String, _ parameters: JSONObject = [:]) -> JSONValue {
        ["Id": .string(id), "Module": .string(module), "Parameters": .object(parameters)]
    }

    private static func edge(_ from: String, _ output: String, _ to: String, _ input: String) -> JSONValue {
        [
            "From": ["Node": .string(from), "Port": .string(output)],
            "To": ["Node": .string(to), "Port": .string(input)],
        ]
    }

    private func graph(
        _ nodes: [JSONValue],
        _ edges: [JSONValue],
        parameters: [JSONValue] = []
    ) throws -> ExperimentGraph {
        try ExperimentGraph(
            try ExperimentDocument(
                json: [
                    "Name": "test", "Nodes": .array(nodes), "Edges": .array(edges),
                    "WebServiceParameters": .array(parameters),
                ]
            )
        )
    }

    private func guide(bits: Int = 3, parameters: [JSONValue] = []) throws -> ExperimentGraph {
        try graph(
            [
                ["Id": "data", "Dataset": "reviews"],
                Self.node("hash", "Feature Hashing", ["Hashing bitsize": .int(bits)]),
                Self.node("in", "Web service input"), Self.node("out", "Web service output"),
            ],
            [
                Self.edge("data", "dataset", "hash", "Dataset"), Self.edge("in", "Dataset", "hash", "Dataset"),
                Self.edge("hash", "Transformed dataset", "out", "Dataset"),
            ],
            parameters: parameters
        )
    }

    private func run(_ graph: ExperimentGraph, _ cache: MemoryCache) async throws -> (GraphRunner.Outcome, [String]) {
        let states = Mutex<[String]>([])
        let outcome = try await GraphRunner(parallelism: 2).run(
            graph,
            hashes: graph.outputHashes(datasetHashes: ["reviews": "1"]),
            cache: cache,
            dataset: { _ in DataTable(columns: [Column(name: "Col2", values: .string(StringValues(["good day"])))]) },
            context: ModuleContext()
        ) { report in states.withLock { $0.append("\(report.node) \(report.state.rawValue)") } }
        return (outcome, states.withLock { $0 })
    }

    @Test func `a second run computes only what changed`() async throws {
        let cache = MemoryCache()
        let (_, first) = try await run(try guide(), cache)
        #expect(first.contains("hash Finished"))
        let (_, second) = try await run(try guide(), cache)
        #expect(second.contains("hash Cached"))
        let (_, third) = try await run(try guide(bits: 4), cache)
        #expect(third.contains("hash Finished"))
    }

    @Test func `publishing keeps the schemas, and scoring follows the caller`() async throws {
        let parameter: JSONValue = [
            "Name": "bits", "Node": "hash", "Parameter": "Hashing bitsize", "HasDefault": false,
        ]
        let graph = try guide(parameters: [parameter])
        let (outcome, _) = try await run(graph, MemoryCache())
        let publication = try ScoringPlan.publish(graph, outputs: outcome.outputs)
        #expect(publication.frozen.isEmpty)
        #expect(publication.inputs.first?.schema.columns.map(\.name) == ["Col2"])
        #expect(publication.outputs.first?.schema.columnCount == 9)
        let plan = try ScoringPlan(definition: publication.definition, frozen: publication.frozen)
        #expect(plan.parameters.first?.hasDefault == false)
        let table = DataTable(columns: [Column(name: "Col2", values: .string(StringValues(["This is a good day"])))])
        let answer = try plan.score([table], parameters: [("bits", .int(5))], context: ModuleContext())
        #expect(answer.first?.columnCount == 33)
    }

    @Test func `a failed node skips what follows and names itself`() async throws {
        let graph = try graph(
            [
                Self.node("a", "Enter Data Manually", ["Data": "x\n1"]),
                Self.node(
                    "b",
                    "Select Columns in Dataset",
                    ["Select columns": ["rules": [["ruleType": "ColumnNames", "columns": ["y"]]]]]
                ),
                Self.node("c", "Clean Missing Data"),
            ],
            [Self.edge("a", "dataset", "b", "Dataset"), Self.edge("b", "Results dataset", "c", "Dataset")]
        )
        let (outcome, states) = try await run(graph, MemoryCache())
        #expect(outcome.failure?.node == "b")
        #expect(outcome.failure?.error.label == "Error 0001")
        #expect(states.suffix(2) == ["b Failed", "c Skipped"])
    }

    @Test(arguments: [
        ([node("a", "No Such Module")], [], "a"),
        ([node("a", "Clean Missing Data")], [], "a"),
        ([node("a", "Clean Missing Data"), node("a", "Clean Missing Data")], [], "a"),
        ([node("a", "Feature Hashing", ["Hashing bitsize": 99])], [], "a"),
        ([node("a", "Feature Hashing", ["Bits": 9])], [], "a"),
        (
            [node("a", "Clean Missing Data"), node("b", "Clean Missing Data")],
            [edge("a", "Cleaned dataset", "b", "Dataset"), edge("b", "Cleaned dataset", "a", "Dataset")], "a"
        ),
        (
            [node("a", "Enter Data Manually", ["Data": "x"]), node("b", "Clean Missing Data")],
            [edge("a", "dataset", "b", "Nothing")], "b"
        ),
        (
            [
                node("a", "Enter Data Manually", ["Data": "x"]), node("b", "Clean Missing Data"),
                node("c", "Clean Missing Data"),
            ],
            [edge("a", "dataset", "b", "Dataset"), edge("b", "Cleaning transformation", "c", "Dataset")], "c"
        ),
    ])
    func `wrong graphs name the node`(_ nodes: [JSONValue], _ edges: [JSONValue], _ node: String) {
        let error = #expect(throws: GraphError.self) { try graph(nodes, edges) }
        #expect(error?.node == node)
    }
}
