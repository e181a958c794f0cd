import Synchronization

/// The two tokens by which programs call the workspace, as they are now.
package final class WorkspaceTokens: Sendable {
    package enum Kind: String, Sendable, CaseIterable { case primary, secondary }

    private struct State {
        var tokens: [Kind: String]
        var known: TokenGuard
    }

    private let state: Mutex<State>
    /// Held while a token is made anew, so that of two who do it at once the disk and the memory keep the same.
    private let regeneration = Mutex(())
    private let save: @Sendable (Kind, String) throws -> Void
    private let make: @Sendable () -> String

    /// - Parameters:
    ///   - save: puts a token on the disk; returns once it is there.
    ///   - make: a token that nobody can guess.
    package init(
        primary: String,
        secondary: String,
        make: @escaping @Sendable () -> String,
        save: @escaping @Sendable (Kind, String) throws -> Void
    ) {
        state = Mutex(
            State(
                tokens: [.primary: primary, .secondary: secondary],
                known: TokenGuard(tokens: [primary, secondary])
            )
        )
        self.make = make
        self.save = save
    }

    package subscript(kind: Kind) -> String { state.withLock { $0.tokens[kind] ?? "" } }

    func admits(_ token: String?) -> Bool { state.withLock { $0.known }.admits(token) }

    /// Puts a new token in the place of one, which lets nobody in any more from then on.
    package func regenerate(_ kind: Kind) throws {
        let token = make()
        try regeneration.withLock { _ in
            // Outside the lock that every request takes: none waits for the disk.
            try save(kind, token)
            state.withLock { state in
                state.tokens[kind] = token
                state.known = TokenGuard(tokens: Array(state.tokens.values))
            }
        }
    }
}
