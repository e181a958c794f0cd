/// `cache-lookup`: answers from the response cache, or lets `cache-store` know what the answer will be kept for.
struct CacheLookupPolicy: PolicyStep {
    enum Downstream: String, CaseIterable, Sendable {
        case none, `private`, `public`
    }

    enum CachingType: String, CaseIterable, Sendable {
        case preferExternal = "prefer-external"
        case external, `internal`
    }

    static let definition = PolicyDefinition("cache-lookup", sections: [.inbound]) {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        try compiler.only(
            element,
            attributes: [
                "vary-by-developer", "vary-by-developer-groups", "downstream-caching-type", "must-revalidate",
                "allow-private-response-caching", "caching-type",
            ],
            children: ["vary-by-header", "vary-by-query-parameter"]
        )
        for name in ["vary-by-developer", "vary-by-developer-groups"] where compiler.attribute(element, name) == nil {
            throw compiler.missing(name, element)
        }
        // The cache of this process is the only one; it serves whoever would prefer another.
        guard try compiler.choice(element, "caching-type", default: CachingType.preferExternal) != .external else {
            throw compiler.problem(
                "There is no external cache; \"caching-type\" may be internal or prefer-external.",
                at: compiler.attribute(element, "caching-type")?.offset ?? element.offset
            )
        }
        func names(_ element: String, in parent: PolicyElement) throws(PolicyDiagnostic) -> [String] {
            var names: [String] = []
            for child in parent.children where child.name == element {
                try compiler.only(child, attributes: [], text: true)
                for word in (child.text?.text ?? "").split(separator: ";") {
                    let name = String(word).trimmingBlanks.lowercased()
                    if !name.isEmpty { names.append(name) }
                }
            }
            return names.sorted()
        }
        let headers = try names("vary-by-header", in: element)
        if let wrong = headers.first(where: { !FieldText.isName($0) }) {
            throw compiler.problem("\"\(wrong)\" is not the name of a header.", at: element.offset)
        }
        let byDeveloper = try compiler.flag(element, "vary-by-developer", default: false)
        let byGroups = try compiler.flag(element, "vary-by-developer-groups", default: false)
        steps.add(
            CacheLookupPolicy(
                byDeveloper: byDeveloper || byGroups,
                downstream: try compiler.choice(element, "downstream-caching-type", default: Downstream.none),
                mustRevalidate: try compiler.flag(element, "must-revalidate", default: true),
                allowsPrivate: try compiler.flag(element, "allow-private-response-caching", default: false),
                headers: headers,
                parameters: try names("vary-by-query-parameter", in: element)
            )
        )
    }

    /// Whether each owner of subscriptions has answers of its own; so it is with groups too, which may differ for each.
    let byDeveloper: Bool
    let downstream: Downstream
    let mustRevalidate: Bool
    let allowsPrivate: Bool
    /// In lower case, sorted.
    let headers: [String]
    /// Likewise; all parameters where there are none.
    let parameters: [String]

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        guard call.request.method ?? call.request.source.method == "GET" else { return .next }
        guard allowsPrivate || call.request.values("authorization").isEmpty else { return .next }
        let key = key(call)
        guard let found = call.effects.cached(key) else {
            call.cacheLookup = CacheLookup(key: key, policy: self)
            // The backend must answer in full, and not say that the caller's copy is good.
            for name in ["If-None-Match", "If-Modified-Since"] where !call.request.values(name.lowercased()).isEmpty {
                call.request.headers.set(name, [])
            }
            return .next
        }
        call.response = found.response
        note(call, seconds: found.secondsLeft)
        return .continueAfterStore
    }

    /// What caches on the way to the caller may do with the answer.
    func note(_ call: PolicyCall, seconds: Int) {
        switch downstream {
        case .none: call.response?.headers.set("Cache-Control", ["no-store"])
        case .private, .public:
            let words = "\(downstream.rawValue), max-age=\(seconds)" + (mustRevalidate ? ", must-revalidate" : "")
            call.response?.headers.set("Cache-Control", [words])
        }
    }

    /// Parts stand apart by bytes that neither a URL nor a header holds.
    private func key(_ call: PolicyCall) -> String {
        let source = call.request.source
        var key =
            "\(call.facts.api.id)\n\(call.facts.api.revision)\n\(call.facts.operation?.id ?? "")\n\(source.path)\n"
        let query = QueryList(source.query)
        if parameters.isEmpty {
            key += source.query
        } else {
            for name in parameters { key += "\(name)=\(query.values(name).joined(separator: "\r"))\n" }
        }
        for name in headers { key += "\n\(name):\(source.values(name).joined(separator: "\r"))" }
        if byDeveloper { key += "\n\n\(call.facts.user?.id ?? call.facts.subscription?.id ?? "")" }
        return key
    }
}

/// A look-up that found nothing: what `cache-store` keeps the answer for.
struct CacheLookup {
    let key: String
    let policy: CacheLookupPolicy
}

/// `cache-store`: keeps the answer for as long as it says, where `cache-lookup` asked for it.
struct CacheStorePolicy: PolicyStep {
    /// Seconds at most: a month; the cache is lost with the process anyway.
    private static let durationMax = 2_592_000

    static let definition = PolicyDefinition("cache-store", sections: [.outbound]) {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        try compiler.only(element, attributes: ["duration", "cache-response"])
        let duration = try compiler.needValue(element, "duration")
        if duration.constantText != nil { _ = try compiler.needNumber(element, "duration", 1...durationMax) }
        let isWanted =
            compiler.attribute(element, "cache-response") == nil
            ? nil : try compiler.condition(element, "cache-response")
        steps.add(CacheStorePolicy(duration: duration, isWanted: isWanted))
    }

    /// Seconds.
    let duration: CompiledValue
    /// nil for answers of 200 alone.
    let isWanted: CompiledValue?

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        guard let lookup = call.cacheLookup, let response = call.response else { return .next }
        let isStored =
            try isWanted.map { wanted throws(PolicyFailure) in try wanted.bool(call) } ?? (response.status == 200)
        guard isStored else { return .next }
        let seconds = try duration.int(call)
        guard (1...CacheStorePolicy.durationMax).contains(seconds) else {
            throw .evaluation("The duration must be 1 to \(CacheStorePolicy.durationMax) seconds.")
        }
        // A cookie is for one caller.
        guard lookup.policy.allowsPrivate || response.values("set-cookie").isEmpty else { return .next }
        call.effects.keep(response, lookup.key, seconds: seconds)
        lookup.policy.note(call, seconds: seconds)
        return .next
    }
}
