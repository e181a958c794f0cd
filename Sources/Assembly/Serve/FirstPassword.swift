import People
import ResourceModel
import Store
import Studio

/// The file that holds the administrator's first password: it goes once that is the password no more.
struct FirstPassword: Sendable {
    private static let file = "admin-password"
    private static let administrator = ResourceID(["users", "1"])

    private let folder: DataFolder
    private let people: PeopleDirectory
    private let pool: PasswordPool

    init(_ opened: OpenInstallation, _ pool: PasswordPool) {
        folder = opened.folder
        people = PeopleDirectory(store: opened.resources, box: opened.box, workspace: opened.workspace.resource)
        self.pool = pool
    }

    /// Takes the file away where one of the changed resources is the administrator and the password another.
    func follow(_ changed: [ResourceID]) async {
        guard changed.contains(where: { $0.key == Self.administrator.key }),
            let written = try? folder.existingSecret(Self.file),
            let hash = try? await people.passwordHash(of: Self.administrator.name),
            let isStillGood = try? await pool.verify(written, hash, from: ""), !isStillGood
        else { return }
        remove()
    }

    func remove() { folder.removeSecret(Self.file) }
}
