/// All policies, by their element names.
package enum PolicyCatalogue {
    private static let definitions: [String: PolicyDefinition] = Dictionary(
        uniqueKeysWithValues: [
            AuthenticationBasicPolicy.definition, CacheLookupPolicy.definition, CacheStorePolicy.definition,
            CORSPolicy.definition, CheckHeaderPolicy.definition,
            ChoosePolicy.definition,
            EmitMetricPolicy.definition, ForwardRequestPolicy.definition, IPFilterPolicy.definition,
            IncludeFragmentPolicy.definition,
            LimitConcurrencyPolicy.definition, MockResponsePolicy.definition, QuotaPolicy.definition,
            QuotaByKeyPolicy.definition,
            RateLimitPolicy.definition, RateLimitByKeyPolicy.definition,
            RetryPolicy.definition, ReturnResponsePolicy.definition, RewriteURIPolicy.definition,
            SetBackendServicePolicy.definition, SetBodyPolicy.definition, SetHeaderPolicy.definition,
            SetMethodPolicy.definition, SetQueryParameterPolicy.definition, SetStatusPolicy.definition,
            SetVariablePolicy.definition, TracePolicy.definition,
        ].map { ($0.name, $0) }
    )

    static func definition(_ name: String) -> PolicyDefinition? { definitions[name] }

    /// The names of the policies that documents may use.
    package static var names: [String] { definitions.keys.sorted() }

    /// Where each policy may stand, by name.
    package static var descriptions: [(name: String, sections: [PolicySection], scopes: Set<PolicyScope>)] {
        definitions.values.sorted { $0.name < $1.name }.map { policy in
            (policy.name, PolicySection.allCases.filter(policy.sections.contains), policy.scopes)
        }
    }

    /// Known policies that are refused by name (contracts/api-management.md 3.2).
    static let refused: Set<String> = [
        "authentication-certificate", "authentication-managed-identity", "cache-lookup-value",
        "cache-remove-value", "cache-store-value", "cross-domain",
        "find-and-replace", "get-authorization-context", "invoke-dapr-binding", "json-to-xml", "jsonp",
        "log-to-eventhub", "proxy", "publish-to-dapr", "redirect-content-urls", "send-one-way-request",
        "send-request", "validate-azure-ad-token",
        "validate-client-certificate", "validate-content", "validate-headers", "validate-jwt",
        "validate-odata-request", "validate-graphql-request", "validate-parameters", "validate-status-code", "wait",
        "xml-to-json", "xsl-transform",
    ]
}
