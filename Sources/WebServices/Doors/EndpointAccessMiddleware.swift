import HTTPServing
import Hummingbird
import ResourceModel
import Store

/// Lets calls of an endpoint through that carry one of its own keys in the token's place, or that the workspace admits.
struct EndpointAccessMiddleware: RouterMiddleware {
    typealias Context = ServingContext

    let store: any ResourceStore
    let box: SecretBox

    func handle(
        _ request: Request,
        context: ServingContext,
        next: @concurrent (Request, ServingContext) async throws -> Response
    ) async throws -> Response {
        if Access.workspace.admits(context.caller) { return try await next(request, context) }
        // The key is judged before the name: who may not know is not told what there is.
        guard let key = request.bearerToken, let endpoint = try await context.endpoint(in: store),
            try await isKey(key, of: endpoint)
        else { throw Access.workspace.refusal(of: context.caller, as: .studio) }
        return try await ChangeActor.$current.withValue("endpoint key") { try await next(request, context) }
    }

    private func isKey(_ key: String, of endpoint: ResourceID) async throws -> Bool {
        let hash = box.hash(key)
        var isKnown = false
        for known in try await store.keyHashes(endpoint) where ConstantTime.equal(known.hash, hash) { isKnown = true }
        return isKnown
    }
}

extension ServingContext {
    /// The endpoint that the path names, by its name or, as older clients do, by its id.
    func endpoint(in store: any ResourceStore) async throws -> ResourceID? {
        let service = ServicePublisher.service(
            try parameters.require("workspace"),
            try parameters.require("service")
        )
        let word = try parameters.require("endpoint")
        if let endpoint = try await store.get(service.child("endpoints", word)) { return endpoint.id }
        var query = ResourceQuery(parent: service, type: "endpoints", limit: 1)
        query.matches = [(0, word.lowercased())]
        return try await store.list(query).first?.id
    }
}
