import ArgumentParser

/// Another secret for the installation, with everything sealed by it; keys and passwords stay what they are.
struct RotateSecretCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-secret",
        abstract: "Make the installation's secret anew and seal everything by it; the server must not be running.",
        discussion: """
            Keys, passwords and tokens stay as they are. Copies of the folder that were made before can still be opened by the secret of \
            their time. A rotation that is cut off is ended by the next start.
            """
    )

    @OptionGroup var folder: DataFolderOption

    func run() async throws {
        let data = try DataFolder(path: folder.path)
        // Held until the process ends.
        _ = try data.lock()
        guard try data.existingSecret("management-token") != nil else {
            throw ValidationError("The folder \(data.path) holds no installation.")
        }
        let databases = try OpenDatabases.open(data)
        let count: Int
        do { count = try await MasterKey(folder: data).rotate(databases.resources, databases.queue) } catch {
            try? databases.close()
            throw error
        }
        try databases.close()
        print("\(count) secrets are sealed by a new key.")
    }
}
