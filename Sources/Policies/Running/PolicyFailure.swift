/// An error in a call's way: what the caller is told, and what `context.LastError` says of it.
package struct PolicyFailure: Error, Sendable {
    /// Status and message of the contract's body `{ "statusCode": N, "message": "…" }`.
    package let status: Int
    package let message: String
    /// `LastError.Reason`, one of the published words.
    package let reason: String
    /// `LastError.Message`, where it differs from what the caller is told.
    package let detail: String
    /// `LastError.Source` where no policy is the source, as `configuration`.
    package let source: String?
    /// Further fields of the answer.
    package let fields: [(name: String, value: String)]
    /// The word of the status line, where it is not the usual one.
    package let statusReason: String?

    package init(
        status: Int,
        message: String,
        reason: String,
        detail: String? = nil,
        source: String? = nil,
        fields: [(name: String, value: String)] = [],
        statusReason: String? = nil
    ) {
        self.status = status
        self.message = message
        self.reason = reason
        self.detail = detail ?? message
        self.source = source
        self.fields = fields
        self.statusReason = statusReason
    }

    /// A failure inside the gateway or its policies: the caller is told nothing but an id.
    package static func inside(_ reason: String, _ detail: String, source: String? = nil) -> PolicyFailure {
        PolicyFailure(status: 500, message: "Internal server error", reason: reason, detail: detail, source: source)
    }

    static func evaluation(_ message: String) -> PolicyFailure {
        inside("ExpressionValueEvaluationFailure", "Expression evaluation failed. \(message)")
    }
}

/// What `context.LastError` holds (contracts/api-management.md 2.1).
package struct LastError: Sendable {
    package let source: String
    package let reason: String
    package let message: String
    package let scope: String?
    package let section: String?
    package let path: String?
    package let policyID: String?
}
