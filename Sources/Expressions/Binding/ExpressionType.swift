/// What an expression, or a part of one, gives.
package enum ExpressionType: Sendable, Equatable {
    case null, bool, int, double, string
    /// A variable's value: known only when it is there.
    case object
    /// The texts of one name; one of them is taken by its index.
    case strings
    /// A thing that only its members make useful.
    case thing(ContextThing)

    var name: String {
        switch self {
        case .null: "null"
        case .bool: "bool"
        case .int: "int"
        case .double: "double"
        case .string: "string"
        case .object: "object"
        case .strings: "string[]"
        case .thing(let thing): thing.rawValue
        }
    }
}

/// The things of `context` that have members, by .NET's names.
package enum ContextThing: String, Sendable {
    case context = "IProxyRequestContext"
    case request = "IRequest"
    case response = "IResponse"
    case requestHeaders = "request headers"
    case responseHeaders = "response headers"
    case url = "IUrl"
    case originalURL = "original IUrl"
    case query = "query"
    case originalQuery = "original query"
    case matchedParameters = "matched parameters"
    case variables = "variables"
    case api = "IApi"
    case operation = "IOperation"
    case subscription = "ISubscription"
    case product = "IProduct"
    case user = "IUser"
    case lastError = "ILastError"
    case deployment = "IDeployment"
}
