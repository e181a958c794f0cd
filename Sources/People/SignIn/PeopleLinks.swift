/// Addresses of links that carry a code.
package struct PeopleLinks: Sendable {
    package static let setup = "/setup"
    package static let signIn = "/signin/link"
    package static let invite = "/signin/invite"
    package static let reset = "/signin/reset"

    private let base: @Sendable () -> String
    private let baseForOthers: @Sendable () -> String

    /// - Parameters:
    ///   - base: where whoever starts the server reaches the portal's pages, without a closing slash.
    ///   - baseForOthers: where those reach them to whom links are sent.
    package init(
        base: @escaping @Sendable () -> String,
        forOthers baseForOthers: @escaping @Sendable () -> String
    ) {
        self.base = base
        self.baseForOthers = baseForOthers
    }

    package func address(_ path: String, _ code: String) -> String {
        let isSent = path == Self.invite || path == Self.reset
        return "\(isSent ? baseForOthers() : base())\(path)?code=\(code)"
    }
}
