import ArgumentParser
import Assembly
import Commands

/// The program: `serve` and a few others work on a data folder, all other commands speak HTTP to a running server.
@main
struct Gatehouse: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gatehouse",
        abstract: "Turns a model into a managed API on your own machine.",
        discussion: "All other types of the management API are commands as well: `gatehouse resource` lists them.",
        version: "0.1.0",
        subcommands: FolderCommands.all + CommandCatalogue.commands,
        defaultSubcommand: CommandCatalogue.fallback
    )
}
