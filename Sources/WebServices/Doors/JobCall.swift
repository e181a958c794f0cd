import ResourceModel

/// A call about jobs at the services door (contracts/ml-web-services.md 2.1).
enum JobCall: Sendable {
    case submit
    case start(String)
    case status(String)
    case cancel(String)
    /// Our own: the jobs of the endpoint, newest first.
    case list(state: String?, before: String?, limit: Int)

    /// How many jobs a page has that does not say.
    private static let pageDefault = 100

    /// Nil for what is no call about jobs.
    init?(method: String, _ parts: TargetParts) throws(ServiceError) {
        guard parts.operation == "jobs" else { return nil }
        switch (method, parts.rest.count) {
        case ("POST", 0): self = .submit
        case ("GET", 0):
            self = try Self.list(parts)
            return
        case ("GET", 1): self = .status(parts.rest[0])
        case ("DELETE", 1): self = .cancel(parts.rest[0])
        // The segment between two slashes is the id that is missing.
        case ("POST", 1) where parts.rest[0] == "start", ("DELETE", 0):
            throw .badArgument("MissingJobId", "The address names no job.")
        case ("POST", 2) where parts.rest[1] == "start": self = .start(parts.rest[0])
        default: return nil
        }
        try parts.checkQuery { _, _ in false }
    }

    private static func list(_ parts: TargetParts) throws(ServiceError) -> JobCall {
        var state: String?
        var before: String?
        var limit = pageDefault
        try parts.checkQuery { name, value throws(ServiceError) in
            switch name {
            case "state": state = value
            case "before": before = value
            case "top", "$top", "%24top":
                guard let number = Int(value), (1...BatchLimits.pageMax).contains(number) else {
                    throw TargetParts.invalid(name, "it must be from 1 to \(BatchLimits.pageMax)")
                }
                limit = number
            default: return false
            }
            return true
        }
        return .list(state: state, before: before, limit: limit)
    }

    /// Makes the call.
    ///
    /// - Returns: the answer's body, empty where the contract has none.
    func run(_ jobs: BatchJobs, _ endpoint: ScoringEndpoint, _ body: [UInt8]) async throws -> [UInt8] {
        switch self {
        case .submit: return JSONValue.string(try await jobs.submit(endpoint, body)).bytes
        case .start(let id):
            try await jobs.start(endpoint, id)
            return []
        case .status(let id): return try await jobs.status(endpoint, id).bytes
        case .cancel(let id):
            try await jobs.cancel(endpoint, id)
            return []
        case .list(let state, let before, let limit):
            let list = try await jobs.list(endpoint: endpoint.id, state: state, before: before, limit: limit)
            return JSONValue.array(list).bytes
        }
    }

    /// Whatever went wrong in the words of the contract.
    static func error(_ error: any Error) -> ServiceError {
        switch error {
        case let error as ServiceError: error
        case let error as APIError where error.status < 500:
            .badArgument("BadParameterValue", error.details.first?.message ?? error.message)
        default: .internalError("The job's record could not be read or written.")
        }
    }
}
