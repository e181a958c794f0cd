package import ArgumentParser

/// The commands that speak HTTP to a server.
package enum CommandCatalogue {
    package static let commands: [any ParsableCommand.Type] = [
        DemoCommand.self, DatasetCommand.self, ExperimentCommand.self, ServiceCommand.self, APICommand.self,
        OperationCommand.self, ProductCommand.self, SubscriptionCommand.self, StorageCommand.self,
        JobCommand.self, PolicyCommand.self, PolicyFragmentCommand.self, NamedValueCommand.self,
        BackendCommand.self, UserCommand.self, SignInLinkCommand.self, AuditCommand.self, ExportCommand.self,
        ApplyCommand.self,
        DeclaredCommand.self,
    ]

    /// What takes words that are no command of these: all types that the server declares.
    package static let fallback: any ParsableCommand.Type = DeclaredCommand.self
}
