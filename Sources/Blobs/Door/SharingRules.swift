import Synchronization

/// The rules of cross-origin sharing of all accounts: answers to heads that were refused cannot wait for the store.
final class SharingRules: Sendable {
    private let rules = Mutex<[String: [ServiceProperties.CORSRule]]>([:])

    func rules(of account: String) -> [ServiceProperties.CORSRule] { rules.withLock { $0[account] ?? [] } }

    func set(_ new: [ServiceProperties.CORSRule], of account: String) { rules.withLock { $0[account] = new } }
}

extension BlobDoor {
    /// Reads the rules of all accounts, before the door opens.
    package func loadSharing() async throws {
        for name in accounts.heldNames { try await loadSharing(of: name) }
    }

    private func loadSharing(of account: String) async throws(BlobError) {
        sharing.set(ServiceProperties(document: try await store.account(account)).rules, of: account)
    }

    /// Keeps an account's properties; its rules hold from the change on.
    func set(_ properties: ServiceProperties, of account: String) async throws(BlobError) {
        let (rules, sharing) = (properties.rules, sharing)
        do throws(BlobError) {
            try await store.setAccount(account, properties.document) { sharing.set(rules, of: account) }
        } catch {
            // The change may have come to nothing after it was told.
            try await loadSharing(of: account)
            throw error
        }
    }

    /// What a browser asks before it calls across origins.
    func preflight(_ request: BlobRequest) throws(BlobError) -> BlobReply {
        guard let origin = request.header("origin"), let method = request.header("access-control-request-method") else {
            throw .missingHeader("Origin")
        }
        let headers = (request.header("access-control-request-headers") ?? "").lowercased().split(separator: ",")
            .map { String($0).trimmingSpaces }
        let rule = sharing.rules(of: request.account).first { rule in
            rule.allows(origin: origin) && rule.methods.contains(method)
                && headers.allSatisfy { rule.allows(header: $0) }
        }
        guard let rule else {
            throw BlobError(403, "CorsPreflightFailure", "CORS not enabled or no matching rule found for this request.")
        }
        var fields = corsFields(rule, origin)
        fields.append(("Access-Control-Allow-Methods", method))
        if !headers.isEmpty { fields.append(("Access-Control-Allow-Headers", headers.joined(separator: ","))) }
        fields.append(("Access-Control-Max-Age", String(rule.maxAge)))
        return BlobReply(200, fields)
    }

    /// What an answer says to a page of another origin.
    func corsFields(_ request: BlobRequest, _ origin: String) -> [(name: String, value: String)] {
        let rules = sharing.rules(of: request.account)
        guard let rule = rules.first(where: { $0.allows(origin: origin) && $0.methods.contains(request.method) }) else {
            return rules.isEmpty ? [] : [("Vary", "Origin")]
        }
        var fields = corsFields(rule, origin)
        if !rule.exposedHeaders.isEmpty {
            fields.append(("Access-Control-Expose-Headers", rule.exposedHeaders.joined(separator: ",")))
        }
        return fields
    }

    private func corsFields(_ rule: ServiceProperties.CORSRule, _ origin: String) -> [(name: String, value: String)] {
        if rule.origins.contains("*") { return [("Access-Control-Allow-Origin", "*")] }
        return [
            ("Access-Control-Allow-Origin", origin), ("Access-Control-Allow-Credentials", "true"), ("Vary", "Origin"),
        ]
    }
}
