import Synchronization

/// The two tokens by which programs call the workspace, as they are now.
package final class WorkspaceTokens: Sendable {
    package enum Kind: String, Sendable, CaseIterable { case primary, secondary }

    private struct State {
        var tokens: [Kind: String]
        var known: TokenGuard
    }

    private let state: Mutex<State>
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
        // Within the lock, so that of two who do it at once the disk and the memory keep the same.
        try state.withLock { state in
            try save(kind, token)
            state.tokens[kind] = token
            state.known = TokenGuard(tokens: Array(state.tokens.values))
        }
    }
}
