import ArgumentParser
import Commands

/// The program: `serve`, `init`, `rotate-secret` and `orphans` work on a data folder, all other commands speak HTTP to a running server.
@main
struct Gatehouse: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gatehouse",
        abstract: "Turns a model into a managed API on your own machine.",
        discussion: "All other types of the management API are commands as well: `gatehouse resource` lists them.",
        version: "0.1.0",
        subcommands: [InitCommand.self, ServeCommand.self, RotateSecretCommand.self, OrphansCommand.self]
            + CommandCatalogue.commands,
        defaultSubcommand: CommandCatalogue.fallback
    )
}
