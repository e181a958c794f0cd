/// The members of `context` that expressions may name (contracts/api-management.md 3.3), as a table.
enum ContextMembers {
    enum Member {
        case value(ContextValue, ExpressionType)
        case thing(ContextThing, ContextObject?)
    }

    static func member(_ name: String, of thing: ContextThing) -> Member? { table[thing]?[name] }

    /// The texts by name that a thing stands for.
    static func texts(_ thing: ContextThing) -> ContextTable? {
        switch thing {
        case .requestHeaders: .requestHeaders
        case .responseHeaders: .responseHeaders
        case .query: .query
        case .originalQuery: .originalQuery
        case .matchedParameters: .matchedParameters
        default: nil
        }
    }

    private static let table: [ContextThing: [String: Member]] = [
        .context: [
            "RequestId": .value(.requestID, .string),
            "Request": .thing(.request, nil),
            "Response": .thing(.response, .response),
            "Api": .thing(.api, nil),
            "Operation": .thing(.operation, .operation),
            "Subscription": .thing(.subscription, .subscription),
            "Product": .thing(.product, .product),
            "User": .thing(.user, .user),
            "Variables": .thing(.variables, nil),
            "LastError": .thing(.lastError, .lastError),
            "Deployment": .thing(.deployment, nil),
        ],
        .request: [
            "Method": .value(.method, .string),
            "IpAddress": .value(.ipAddress, .string),
            "Headers": .thing(.requestHeaders, nil),
            "Url": .thing(.url, nil),
            "OriginalUrl": .thing(.originalURL, nil),
            "MatchedParameters": .thing(.matchedParameters, nil),
        ],
        .response: [
            "StatusCode": .value(.responseStatusCode, .int),
            "StatusReason": .value(.responseStatusReason, .string),
            "Headers": .thing(.responseHeaders, nil),
        ],
        .url: url({ .url($0) }, .query),
        .originalURL: url({ .originalURL($0) }, .originalQuery),
        .api: [
            "Id": .value(.apiID, .string),
            "Name": .value(.apiName, .string),
            "Path": .value(.apiPath, .string),
            "Revision": .value(.apiRevision, .string),
            "Version": .value(.apiVersion, .string),
            "IsCurrentRevision": .value(.apiIsCurrentRevision, .bool),
        ],
        .operation: [
            "Id": .value(.operationID, .string),
            "Name": .value(.operationName, .string),
            "Method": .value(.operationMethod, .string),
            "UrlTemplate": .value(.operationURLTemplate, .string),
        ],
        .subscription: [
            "Id": .value(.subscriptionID, .string),
            "Name": .value(.subscriptionName, .string),
            "Key": .value(.subscriptionKey, .string),
        ],
        .product: [
            "Id": .value(.productID, .string),
            "Name": .value(.productName, .string),
            "State": .value(.productState, .string),
            "ApprovalRequired": .value(.productApprovalRequired, .bool),
            "SubscriptionRequired": .value(.productSubscriptionRequired, .bool),
        ],
        .user: [
            "Id": .value(.userID, .string),
            "Email": .value(.userEmail, .string),
            "FirstName": .value(.userFirstName, .string),
            "LastName": .value(.userLastName, .string),
            "Note": .value(.userNote, .string),
        ],
        .lastError: [
            "Source": .value(.errorSource, .string),
            "Reason": .value(.errorReason, .string),
            "Message": .value(.errorMessage, .string),
            "Scope": .value(.errorScope, .string),
            "Section": .value(.errorSection, .string),
            "Path": .value(.errorPath, .string),
            "PolicyId": .value(.errorPolicyID, .string),
        ],
        .deployment: [
            "Region": .value(.deploymentRegion, .string),
            "ServiceName": .value(.deploymentServiceName, .string),
            "GatewayId": .value(.deploymentGatewayID, .string),
        ],
    ]

    private static func url(_ part: (URLPart) -> ContextValue, _ query: ContextThing) -> [String: Member] {
        [
            "Scheme": .value(part(.scheme), .string),
            "Host": .value(part(.host), .string),
            "Port": .value(part(.port), .int),
            "Path": .value(part(.path), .string),
            "QueryString": .value(part(.queryString), .string),
            "Query": .thing(query, nil),
        ]
    }
}
