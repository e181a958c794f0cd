import ArgumentParser
import NIOHTTP1
import ResourceModel

/// `gatehouse audit`: who changed what.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Who changed what, in the order of the changes."
    )
    @OptionGroup var options: ServerOptions
    @Option(help: "Number of the last change that is known already.") var since = 0
    @Option(help: "Changes to show at most.") var limit = 1000

    func run() async throws {
        let client = try await ServerClient.connect(options)
        let page = try await client.json(.GET, "/api/changes?since=\(since)&limit=\(min(max(limit, 1), 1000))")
        let values = page["value"]?.array ?? []
        if options.json { return print(JSONValue.array(values).indented, terminator: "") }
        TableText.print(
            [("CHANGE", ["sequence"]), ("TIME", ["time"]), ("ACTION", ["action"]), ("ID", ["id"]), ("BY", ["actor"])],
            values
        )
    }
}
