package import ArgumentParser

/// The commands that work on a data folder itself.
package enum FolderCommands {
    package static let all: [any ParsableCommand.Type] = [
        InitCommand.self, ServeCommand.self, RotateSecretCommand.self, OrphansCommand.self,
    ]
}
