package import ResourceModel

/// What a caller of a web service is told: class, status and detail codes of contracts/ml-web-services.md section 3.
package struct ServiceError: Error, Sendable, Equatable {
    package let status: Int
    package let code: String
    package let message: String
    package let details: [Detail]

    package struct Detail: Sendable, Equatable {
        package let code: String
        package let message: String
        package var target: String?
    }

    private init(_ status: Int, _ code: String, _ message: String, _ detail: Detail) {
        self.status = status
        self.code = code
        self.message = message
        details = [detail]
    }

    package static func badArgument(_ detail: String, _ message: String) -> ServiceError {
        ServiceError(400, "BadArgument", "Invalid argument provided.", Detail(code: detail, message: message))
    }

    package static func badUserArgument(_ detail: String, _ message: String) -> ServiceError {
        ServiceError(400, "BadUserArgument", "Invalid user argument provided.", Detail(code: detail, message: message))
    }

    package static func invalidOperation(_ detail: String, _ message: String) -> ServiceError {
        ServiceError(400, "InvalidOperation", "Operation is invalid.", Detail(code: detail, message: message))
    }

    /// - Parameter module: the module that failed.
    package static func module(_ label: String, _ message: String, module: String) -> ServiceError {
        ServiceError(
            400,
            "ModuleExecutionError",
            "Module execution encountered an error.",
            Detail(code: label, message: message, target: module)
        )
    }

    package static let unauthorized = ServiceError(
        401,
        "Unauthorized",
        "Request is unauthorized to access resource.",
        Detail(code: "ScoreRequestUnauthorized", message: "Invalid credentials provided.")
    )

    package static func notFound(_ detail: String, _ message: String) -> ServiceError {
        ServiceError(404, "NotFound", "Resource not found.", Detail(code: detail, message: message))
    }

    package static let timeout = ServiceError(
        408,
        "RequestTimeout",
        "The request took too long.",
        Detail(code: "ScoreRequestTimeout", message: "Scoring did not end within the time allowed.")
    )

    package static func memory(_ message: String) -> ServiceError {
        ServiceError(
            413,
            "MemoryQuotaViolation",
            "Memory quota exceeded.",
            Detail(code: "OutOfMemoryLimit", message: message)
        )
    }

    package static func internalError(_ message: String) -> ServiceError {
        ServiceError(
            500,
            "InternalError",
            "The server could not do what was asked.",
            Detail(code: "UnknownError", message: message)
        )
    }

    package static func throttled(endpoint: String, max: Int) -> ServiceError {
        ServiceError(
            503,
            "ServiceUnavailable",
            "Service is temporarily unavailable.",
            Detail(
                code: "RequestThrottled",
                message: "The endpoint \(endpoint) takes \(max) concurrent requests at most."
            )
        )
    }

    package static let noMoreResources = noMoreResources("Too many requests are being scored.")

    package static func noMoreResources(_ message: String) -> ServiceError {
        ServiceError(
            503,
            "ServiceUnavailable",
            "Service is temporarily unavailable.",
            Detail(code: "NoMoreResources", message: message)
        )
    }

    package var document: JSONValue {
        [
            "error": [
                "code": .string(code), "message": .string(message),
                "details": .array(
                    details.map { detail in
                        var object: JSONObject = ["code": .string(detail.code)]
                        if let target = detail.target { object["target"] = .string(target) }
                        object["message"] = .string(detail.message)
                        return .object(object)
                    }
                ),
            ]
        ]
    }
}

extension ServiceError {
    package init(json: JSONError) {
        self = .badArgument("RequestBodyInvalid", "The request body is not valid JSON: \(json.description)")
    }
}
