package import Expressions

extension PolicyCall: ExpressionContext {
    package func isPresent(_ object: ContextObject) -> Bool {
        switch object {
        case .subscription: facts.subscription != nil
        case .product: facts.product != nil
        case .user: facts.user != nil
        case .operation: facts.operation != nil
        case .response: response != nil
        case .lastError: lastError != nil
        }
    }

    package func read(_ value: ContextValue) -> ExpressionValue? {
        switch value {
        case .requestID: .string(requestID)
        case .method: .string(request.method ?? request.source.method)
        case .ipAddress: .string(request.source.clientAddress)
        case .url(let part): url(part, path: request.currentPath, query: request.currentQuery)
        case .originalURL(let part): url(part, path: request.source.path, query: request.source.query)
        case .apiID: .string(facts.api.id)
        case .apiName: .string(facts.api.name)
        case .apiPath: .string(facts.api.path)
        case .apiRevision: .string(facts.api.revision)
        case .apiVersion: facts.api.version.map { .string($0) } ?? .null
        case .apiIsCurrentRevision: .bool(facts.api.isCurrentRevision)
        case .operationID: facts.operation.map { .string($0.id) }
        case .operationName: facts.operation.map { .string($0.name) }
        case .operationMethod: facts.operation.map { .string($0.method) }
        case .operationURLTemplate: facts.operation.map { .string($0.urlTemplate) }
        case .subscriptionID: facts.subscription.map { .string($0.id) }
        case .subscriptionName: facts.subscription.map { .string($0.name) }
        case .subscriptionKey:
            facts.subscription.map { _ in request.source.subscriptionKey.map { .string($0) } ?? .null }
        case .productID: facts.product.map { .string($0.id) }
        case .productName: facts.product.map { .string($0.name) }
        case .productState: facts.product.map { .string($0.isPublished ? "Published" : "NotPublished") }
        case .productApprovalRequired: facts.product.map { .bool($0.requiresApproval) }
        case .productSubscriptionRequired: facts.product.map { .bool($0.requiresSubscription) }
        case .userID: facts.user.map { .string($0.id) }
        case .userEmail: facts.user.map { .string($0.email) }
        case .userFirstName: facts.user.map { .string($0.firstName) }
        case .userLastName: facts.user.map { .string($0.lastName) }
        case .userNote: facts.user.map { .string($0.note) }
        case .responseStatusCode: response.map { .int(Int64($0.status)) }
        case .responseStatusReason: response.map { .string($0.reason ?? effects.reason($0.status)) }
        case .errorSource: lastError.map { .string($0.source) }
        case .errorReason: lastError.map { .string($0.reason) }
        case .errorMessage: lastError.map { .string($0.message) }
        case .errorScope: lastError.map { text($0.scope) }
        case .errorSection: lastError.map { text($0.section) }
        case .errorPath: lastError.map { text($0.path) }
        case .errorPolicyID: lastError.map { text($0.policyID) }
        case .deploymentRegion: .string("Local")
        case .deploymentServiceName: .string(effects.serviceName)
        case .deploymentGatewayID: .string("managed")
        }
    }

    package func values(_ table: ContextTable, _ name: String) -> [String] {
        switch table {
        case .requestHeaders: request.values(name)
        case .responseHeaders: response?.values(name) ?? []
        case .query: QueryList(request.currentQuery).values(name)
        case .originalQuery: QueryList(request.source.query).values(name)
        case .matchedParameters:
            request.source.matchedParameters.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
        }
    }

    package func variable(_ name: String) -> ExpressionValue? { variables[name] }

    private func text(_ value: String?) -> ExpressionValue { value.map { .string($0) } ?? .null }

    private func url(_ part: URLPart, path: String, query: String) -> ExpressionValue {
        switch part {
        case .scheme: .string(request.source.scheme)
        case .host: .string(request.source.host)
        case .port: .int(Int64(request.source.port))
        case .path: .string(path)
        case .queryString: .string(query.isEmpty ? "" : "?" + query)
        }
    }
}
