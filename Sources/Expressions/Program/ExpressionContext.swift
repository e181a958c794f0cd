/// A thing that is there for some requests only.
package enum ContextObject: String, Sendable, CaseIterable {
    case subscription, product, user, operation, response, lastError
}

/// A part of a URL.
package enum URLPart: Sendable, Equatable {
    case scheme, host, port, path, queryString
}

/// A single value of `context`.
package enum ContextValue: Sendable, Equatable {
    case requestID
    case method, ipAddress
    case url(URLPart), originalURL(URLPart)
    case apiID, apiName, apiPath, apiRevision, apiVersion, apiIsCurrentRevision
    case operationID, operationName, operationMethod, operationURLTemplate
    case subscriptionID, subscriptionName, subscriptionKey
    case productID, productName, productState, productApprovalRequired, productSubscriptionRequired
    case userID, userEmail, userFirstName, userLastName, userNote
    case responseStatusCode, responseStatusReason
    case errorSource, errorReason, errorMessage, errorScope, errorSection, errorPath, errorPolicyID
    case deploymentRegion, deploymentServiceName, deploymentGatewayID
}

/// Texts by name; a name may have several.
package enum ContextTable: Sendable, Equatable {
    case requestHeaders, responseHeaders
    case query, originalQuery
    case matchedParameters
}

/// What an expression may ask of a request; handed in, so that this room knows no HTTP.
package protocol ExpressionContext {
    func isPresent(_ object: ContextObject) -> Bool
    /// - Returns: nil where the thing that the value belongs to is not there.
    func read(_ value: ContextValue) -> ExpressionValue?
    /// All texts of a name, without case; none where the name is not there.
    func values(_ table: ContextTable, _ name: String) -> [String]
    /// A variable that a policy set; nil where none did.
    func variable(_ name: String) -> ExpressionValue?
}
