/// An element of a policy document as it is written.
struct PolicyElement: Sendable {
    let name: String
    let attributes: [PolicyAttribute]
    let children: [PolicyElement]
    /// What stands between the tags beside children; nil where there is nothing but blanks.
    let text: PolicyValue?
    /// All between the tags as it is written, for bodies that are documents themselves.
    let inner: String
    /// Of its `<`.
    let offset: Int
}

struct PolicyAttribute: Sendable {
    let name: String
    let value: PolicyValue
    let offset: Int
}

/// A value: a text, or an expression in its whole.
struct PolicyValue: Sendable {
    enum Kind: Sendable, Equatable {
        case literal
        /// `@(…)`.
        case expression
        /// `@{…}`.
        case block
    }

    let kind: Kind
    /// Entities undone; of an expression what stands between its brackets.
    let text: String
    let offset: Int
}
