import ArgumentParser
import Foundation
import Management

/// Makes an installation: the create form of the guide.
struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make an installation in a data folder; serve does it by itself when nothing is there."
    )

    @OptionGroup var folder: DataFolderOption

    @Option(help: "Name of the service: 1 to 50 letters, digits and dashes.")
    var name: String?

    @Option(help: "Name of the organization.")
    var organization: String?

    @Option(name: .customLong("admin-email"), help: "Address of the administrator.")
    var adminEmail: String?

    func run() async throws {
        let data = try DataFolder(path: folder.path)
        // Held until the process ends.
        _ = try data.lock()
        let form = OpenInstallation.Form(name: name, organization: organization, adminEmail: adminEmail)
        let opened = try await OpenInstallation.open(data, form: form)
        for note in opened.databases.notes { FileHandle.standardError.write(Data("\(note)\n".utf8)) }
        try opened.databases.close()
        guard opened.isNew else {
            throw ValidationError(
                "The folder \(data.path) holds the installation \"\(opened.installation.current.serviceName)\" already."
            )
        }
        print("Made the installation \"\(opened.installation.current.serviceName)\" in \(data.path).")
        AdministratorNotice.print(email: opened.installation.current.adminEmail, folder: data)
    }
}

struct DataFolderOption: ParsableArguments {
    @Option(name: .customLong("data"), help: "Data folder (default: GATEHOUSE_DATA, else .gatehouse).")
    var given: String?

    var path: String { given ?? EnvironmentWords.value("GATEHOUSE_DATA") ?? ".gatehouse" }
}

/// Says where the first password is: what goes to standard output is kept by terminals and collectors of logs.
enum AdministratorNotice {
    static func print(email: String, folder: DataFolder) {
        Swift.print("Administrator: \(email)")
        Swift.print("First password: in the file \(folder.path)/secrets/admin-password")
        // At once, also where standard output is a file: the server may run for months before it ends.
        fflush(nil)
    }
}
