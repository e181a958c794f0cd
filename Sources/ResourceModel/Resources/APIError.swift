/// What a caller of the management doors is told when a request cannot be served.
package struct APIError: Error, Sendable, Equatable {
    /// HTTP status.
    package var status: Int
    /// Stable word for programs, as `ValidationError`.
    package var code: String
    package var message: String
    package var details: [Detail]

    /// One rule that one field broke.
    package struct Detail: Sendable, Equatable {
        package var code: String
        package var message: String
        /// The field.
        package var target: String?

        package init(code: String, message: String, target: String? = nil) {
            self.code = code
            self.message = message
            self.target = target
        }
    }

    package init(status: Int, code: String, message: String, details: [Detail] = []) {
        self.status = status
        self.code = code
        self.message = message
        self.details = details
    }

    /// What a caller is told of a fault that is not the request's.
    package static let inside = APIError(
        status: 500,
        code: "InternalServerError",
        message: "The request failed inside Gatehouse."
    )

    package static func notFound(_ message: String) -> APIError {
        APIError(status: 404, code: "ResourceNotFound", message: message)
    }

    package static func validation(_ details: [Detail]) -> APIError {
        APIError(
            status: 400,
            code: "ValidationError",
            message: "One or more fields contain incorrect values:",
            details: details
        )
    }

    package static func validation(_ field: String, _ message: String) -> APIError {
        validation([Detail(code: "ValidationError", message: message, target: field)])
    }

    package static func badRequest(_ message: String) -> APIError {
        APIError(status: 400, code: "BadRequest", message: message)
    }

    package static func conflict(_ message: String) -> APIError {
        APIError(status: 409, code: "Conflict", message: message)
    }

    package static let preconditionFailed = APIError(
        status: 412,
        code: "PreconditionFailed",
        message: "Resource was modified since last retrieval."
    )

    /// The document of contracts' section 4.1: `{"error":{"code","message","details":[…]}}`.
    package var document: JSONValue {
        var error = JSONObject([("code", .string(code)), ("message", .string(message))])
        error["details"] =
            details.isEmpty
            ? .null
            : .array(
                details.map { detail in
                    .object(
                        JSONObject([
                            ("code", .string(detail.code)), ("message", .string(detail.message)),
                            ("target", JSONValue(detail.target)),
                        ])
                    )
                }
            )
        return .object(JSONObject([("error", .object(error))]))
    }
}

/// An error of a room below the doors that may be told to whoever called.
package protocol CallersError: Error {
    /// What the caller is told; nil for a fault of our own.
    var toldError: APIError? { get }
}
