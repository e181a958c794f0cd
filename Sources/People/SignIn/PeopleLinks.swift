/// Addresses of links that carry a code.
package struct PeopleLinks: Sendable {
    package static let setup = "/setup"
    package static let signIn = "/signin/link"
    package static let invite = "/signin/invite"
    package static let reset = "/signin/reset"

    private let base: @Sendable () -> String

    /// - Parameter base: where people reach the portal's pages, without a closing slash.
    package init(base: @escaping @Sendable () -> String) { self.base = base }

    package func address(_ path: String, _ code: String) -> String { "\(base())\(path)?code=\(code)" }
}
