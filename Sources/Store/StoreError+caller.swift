package import ResourceModel

extension StoreError: CallersError {
    /// What a caller is told when the store refused a write.
    package var toldError: APIError? {
        switch self {
        case .notFound(let id):
            .notFound(id == .service ? "Resource not found." : "\(id.type) not found: \(id.name)")
        case .etagMismatch: .preconditionFailed
        case .alreadyExists(let id): .conflict("The resource \(id.name) already exists.")
        case .missingReference(let id): .notFound("\(id.type) not found: \(id.name)")
        case .notUnique(let field, let value):
            .validation(field, "Another resource has the same \(field) \"\(value)\".")
        case .hasChildren(let id): .conflict("The resource \(id.name) is still in use.")
        case .tooMany(let field, let max):
            .validation(field, "There are \(max) already, and no more are allowed.")
        case .overloaded:
            APIError(status: 503, code: "ServiceUnavailable", message: "Too many writes are waiting; try again.")
        case .diskFull:
            APIError(
                status: 507,
                code: "InsufficientStorage",
                message: "The disk is full: nothing can be stored until something is deleted."
            )
        case .notDurable, .claimLost, .unreadable: nil
        }
    }
}

extension APIError {
    /// What a caller is told when the store refused a write.
    package init(_ error: StoreError) { self = error.toldError ?? .inside }
}
