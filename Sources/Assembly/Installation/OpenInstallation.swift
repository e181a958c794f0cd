import Blobs
import Foundation
package import Management
import People
import ResourceModel
import Store
package import Studio

/// An installation whose stores are open.
package struct OpenInstallation: Sendable {
    /// The words of the create form; nil for their defaults.
    package struct Form: Sendable {
        var name: String?
        var organization: String?
        var adminEmail: String?
        /// Whether the form is yet to be filled in by whoever opens the portal first.
        var isOpen = false

        package init(name: String? = nil, organization: String? = nil, adminEmail: String? = nil) {
            self.name = name
            self.organization = organization
            self.adminEmail = adminEmail
        }

        /// Names by default, until whoever opens the portal first gives others.
        static var open: Form {
            var form = Form()
            form.isOpen = true
            return form
        }
    }

    let folder: DataFolder
    let databases: OpenDatabases
    /// The configuration, with what rests sealed in it open.
    let resources: SQLiteResourceStore
    let content: ContentStore
    let box: SecretBox
    package let installation: InstallationSlot
    package let workspace: Workspace
    package let managementToken: String
    /// Primary and secondary.
    package let workspaceTokens: [String]
    /// Whether this start made the installation, and its administrator's first password.
    let isNew: Bool

    /// Among the folder's secrets.
    static let workspaceTokenFiles = ["workspace-token", "workspace-token-secondary"]

    var queue: SQLiteWorkQueue { databases.queue }

    /// Opens the installation of a folder, and makes it first where there is none.
    ///
    /// - Parameter accepted: databases whose loss was accepted for this start.
    package static func open(
        _ folder: DataFolder,
        form: Form,
        accepting accepted: Set<String> = []
    ) async throws
        -> OpenInstallation
    {
        let databases = try OpenDatabases.open(folder, accepting: accepted)
        do { return try await open(folder, databases, form) } catch {
            try? databases.close()
            throw error
        }
    }

    /// The same, for whoever closes everything together.
    package static func open(
        _ folder: DataFolder,
        form: Form,
        accepting accepted: Set<String> = [],
        _ closing: ClosingList
    ) async throws -> OpenInstallation {
        let opened = try await open(folder, form: form, accepting: accepted)
        closing.add("databases") { try opened.databases.close() }
        return opened
    }

    private static func open(
        _ folder: DataFolder,
        _ databases: OpenDatabases,
        _ form: Form
    ) async throws -> OpenInstallation {
        let box = try await MasterKey(folder: folder).box(databases.resources, databases.queue)
        let resources = databases.resources.sealing(by: box)
        _ = try await resources.sealDocuments()
        let content = try ContentStore(folder: folder.contentFolder, reserve: databases.reserve)
        let managementToken = try folder.password("management-token") { token() }
        let workspaceTokens = try Self.workspaceTokenFiles.map {
            try folder.password($0, make: token)
        }
        var isNew = false
        if databases.mayMake, try await resources.get(.service) == nil {
            // The file first: a start that ends between the two makes the same password again.
            let password = try folder.password("admin-password") { Self.password() }
            try await make(form, resources, password, box)
            isNew = true
        }
        guard let installation = try await InstallationSlot(resources) else {
            throw InstallationError("The database \(folder.configurationFile) holds no installation.")
        }
        try await FreshInstance.complete(resources)
        guard let workspace = try await resources.index(type: "workspaces").first else {
            throw InstallationError("The installation in \(folder.path) is damaged: it has no workspace.")
        }
        let people = PeopleDirectory(store: resources, box: box, workspace: workspace.id)
        try await WorkspaceMembers(store: resources, people: people, workspace: workspace.id).complete()
        try await databases.mark()
        return OpenInstallation(
            folder: folder,
            databases: databases,
            resources: resources,
            content: content,
            box: box,
            installation: installation,
            workspace: Workspace(id: workspace.id.name),
            managementToken: managementToken,
            workspaceTokens: workspaceTokens,
            isNew: isNew
        )
    }

    private static func make(
        _ form: Form,
        _ resources: SQLiteResourceStore,
        _ password: String,
        _ box: SecretBox
    ) async throws {
        let hash = try PasswordHash.make(password)
        var writes = try FreshInstance.writes(try make(form), passwordHash: hash, box: box)
        let workspace = ResourceID(["workspaces", Identifier.hex32()])
        writes.append(ResourceWrite(workspace, .put(properties: ["Name": "default"], index: [], secrets: [])))
        writes.append(WorkspaceMembership.write("1", .owner, in: workspace))
        if form.isOpen { writes.append(FirstRun.write) }
        _ = try await resources.apply(writes)
    }

    private static func make(_ form: Form) throws -> Installation {
        let name = form.name ?? "gatehouse"
        guard Installation.isValidName(name) else {
            throw InstallationError(
                "--name \"\(name)\": the name must be 1 to 50 letters, digits and dashes, begin with a letter and not end with a dash."
            )
        }
        let organization = form.organization ?? name
        guard (1...100).contains(organization.count) else {
            throw InstallationError("--organization must be 1 to 100 characters.")
        }
        let email = form.adminEmail ?? "admin@\(name).local"
        let halves = email.split(separator: "@", omittingEmptySubsequences: false)
        guard email.count <= 100, halves.count == 2, halves.allSatisfy({ !$0.isEmpty }), !email.contains(" ") else {
            throw InstallationError("--admin-email must be an address of at most 100 characters.")
        }
        return Installation(
            subscriptionID: Identifier.guid(),
            resourceGroup: "gatehouse",
            serviceName: name,
            organization: organization,
            adminEmail: email,
            createdAt: Date().formatted(.iso8601)
        )
    }

    /// A token of 256 random bits.
    @Sendable static func token() -> String { Identifier.hex(Identifier.randomBytes(32)) }

    /// 100 bits in letters and digits that are not mistaken for one another.
    private static func password() -> String {
        let alphabet = Array("abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789")
        return String((0..<20).compactMap { _ in alphabet.randomElement() })
    }
}

struct InstallationError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
