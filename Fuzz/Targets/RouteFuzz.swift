import Gateway
import Policies
import ResourceModel

/// Templates and paths: no pair ends the process, and what matches is what its template says.
///
/// The first line holds an API's path, lines to the empty one are operations, the rest requests.
enum RouteFuzz {
    private static let linesMax = 16

    static func run(_ bytes: UnsafeRawBufferPointer) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        let lines = text.split(separator: "\n", maxSplits: 64, omittingEmptySubsequences: false).map(String.init)
        guard let path = lines.first, let gap = lines.firstIndex(of: ""), gap > 0 else { return }
        var operations: [APIOperation] = []
        for (index, line) in lines[1..<gap].prefix(linesMax).enumerated() {
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            guard words.count == 2, let template = try? URLTemplate(words[1]) else { continue }
            let facts = PolicyFacts.Operation(id: "o\(index)", name: "", method: words[0], urlTemplate: words[1])
            operations.append(APIOperation(facts: facts, template: template))
        }
        let route = APIRoute(
            resource: "api",
            path: path,
            backend: .unsupported(reason: ""),
            protocols: ["http"],
            requiresKey: false,
            keyHeader: "key",
            keyQuery: "key",
            facts: PolicyFacts.API(id: "api", name: "", path: path),
            operations: operations
        )
        let tree = RouteTree([route])
        for line in lines[(gap + 1)...].prefix(linesMax) { try ask(line, tree, route, bytes) }
    }

    private static func ask(
        _ line: String,
        _ tree: RouteTree,
        _ route: APIRoute,
        _ bytes: UnsafeRawBufferPointer
    ) throws {
        let words = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard words.count == 2 else { return }
        let halves = words[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        try Array(words[0].utf8).withUnsafeBytes { method in
            try Array(halves[0].utf8).withUnsafeBytes { path in
                try Array((halves.count > 1 ? halves[1] : "").utf8).withUnsafeBytes { query in
                    guard let match = tree.find(path) else { return }
                    if match.length > path.count { throw Finding("an API's path is longer than the path", bytes) }
                    let rest = UnsafeRawBufferPointer(rebasing: path[match.length...])
                    guard let entry = route.operations.match(method: method, path: rest, query: query) else { return }
                    if entry.method != Array(method) { throw Finding("another method matched", bytes) }
                    let names = entry.parameters(path: rest, query: query).map(\.name)
                    guard let template = try? URLTemplate(entry.facts.urlTemplate) else {
                        throw Finding("a template matched that cannot be read", bytes)
                    }
                    if names.count != template.parameterNames.count {
                        throw Finding("\(names) of \(template.parameterNames)", bytes)
                    }
                }
            }
        }
    }
}
