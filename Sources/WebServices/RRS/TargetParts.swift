import NIOCore
import ResourceModel

/// The parts of a request's target at the services door: `/workspaces/{ws}/services/{endpoint}/{operation}/…?…`.
struct TargetParts {
    let workspace: String
    let endpoint: String
    let operation: String
    /// The segments behind the operation.
    let rest: [String]
    private let query: [(name: String, value: String)]

    init(_ target: ByteBuffer) throws(ServiceError) {
        let text = String(buffer: target)
        let halves = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let segments = halves[0].split(separator: "/", omittingEmptySubsequences: true)
        guard (5...7).contains(segments.count), segments[0].lowercased() == "workspaces",
            segments[2].lowercased() == "services"
        else {
            throw .notFound("WebServiceNotFound", "The path is not one of a web service.")
        }
        workspace = segments[1].lowercased()
        endpoint = segments[3].lowercased()
        operation = segments[4].lowercased()
        rest = segments[5...].map { $0.lowercased() }
        guard rest.isEmpty || operation == "jobs" else {
            throw .notFound("WebServiceNotFound", "The path is not one of a web service.")
        }
        query = (halves.count > 1 ? halves[1].split(separator: "&") : []).map { item in
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (parts[0].lowercased(), parts.count > 1 ? String(parts[1]) : "")
        }
    }

    var unknownService: ServiceError {
        guard Identifier.isHex32(endpoint) else {
            return .badArgument("WebServiceIdInvalid", "The web service id must be 32 hexadecimal digits.")
        }
        return .notFound("WebServiceNotFound", "The web service \(endpoint) was not found.")
    }

    /// What the query asks of `/execute`; a missing api-version counts as 2.0, as Stream Analytics sends none.
    func executeForm() throws(ServiceError) -> RRSCall.Form {
        var isSwagger = false
        var hasDetails = false
        try checkQuery { name, value throws(ServiceError) in
            switch name {
            case "details":
                switch value.lowercased() {
                case "true": hasDetails = true
                case "false", "": hasDetails = false
                default: throw TargetParts.invalid(name, "it must be true or false")
                }
            case "format":
                guard value.lowercased() == "swagger" else { throw TargetParts.invalid(name, "it must be swagger") }
                isSwagger = true
            default: return false
            }
            return true
        }
        return .execute(isSwagger: isSwagger, hasDetails: hasDetails)
    }

    /// Judges the query.
    ///
    /// - Parameter take: takes a parameter that is not the version; false where it is unknown.
    func checkQuery(
        _ take: (_ name: String, _ value: String) throws(ServiceError) -> Bool
    ) throws(ServiceError) {
        for (name, value) in query {
            if name == "api-version" {
                guard value == "2.0" else {
                    throw .badArgument("BadVersionCall", "The api-version \"\(value.prefix(32))\" is unknown; use 2.0.")
                }
            } else if try !take(name, value) {
                throw TargetParts.invalid(name, "it is unknown")
            }
        }
    }

    static func invalid(_ name: String, _ why: String) -> ServiceError {
        .badArgument("InvalidQueryParameter", "The query parameter \"\(name.prefix(64))\" is invalid: \(why).")
    }
}
