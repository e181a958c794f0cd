import HTTPServing
import Synchronization
import Testing

@Suite struct WorkspaceTokensTests {
    /// What the disk is asked to keep, and what readers find meanwhile.
    private final class Disk: Sendable {
        let tokens = Mutex<WorkspaceTokens?>(nil)
        let meanwhile = Mutex("")
    }

    @Test func `whoever asks while a token is saved does not wait, and finds the old one`() throws {
        let disk = Disk()
        let tokens = WorkspaceTokens(
            primary: "one",
            secondary: "two",
            make: { "three" },
            save: { kind, _ in
                let found = disk.tokens.withLock { $0 }?[kind] ?? ""
                disk.meanwhile.withLock { $0 = found }
            }
        )
        disk.tokens.withLock { $0 = tokens }
        try tokens.regenerate(.primary)
        #expect(disk.meanwhile.withLock { $0 } == "one")
        #expect(tokens[.primary] == "three")
        #expect(tokens[.secondary] == "two")
    }

    @Test func `a token that cannot be saved changes nothing`() {
        struct Full: Error {}
        let tokens = WorkspaceTokens(
            primary: "one",
            secondary: "two",
            make: { "three" },
            save: { _, _ in throw Full() }
        )
        #expect(throws: Full.self) { try tokens.regenerate(.primary) }
        #expect(tokens[.primary] == "one")
    }
}
