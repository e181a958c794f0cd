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
        let byDeveloper = try compiler.flag(element, "vary-by-developer", default: false)
        let byGroups = try compiler.flag(element, "vary-by-developer-groups", default: false)
        steps.add(
            CacheLookupPolicy(
                byDeveloper: byDeveloper || byGroups,
                downstream: try compiler.choice(element, "downstream-caching-type", default: Downstream.none),
                mustRevalidate: try compiler.flag(element, "must-revalidate", default: true),
                allowsPrivate: try compiler.flag(element, "allow-private-response-caching", default: false),
                headers: try VaryNames("vary-by-header", in: element, compiler, mustBeFields: true),
                parameters: try VaryNames("vary-by-query-parameter", in: element, compiler)
            )
        )
    }

    /// Whether each owner of subscriptions has answers of its own; so it is with groups too, which may differ for each.
    let byDeveloper: Bool
    let downstream: Downstream
    let mustRevalidate: Bool
    let allowsPrivate: Bool
    let headers: VaryNames
    /// All parameters where there are none.
    let parameters: VaryNames

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        guard call.request.method ?? call.request.source.method == "GET" else { return .next }
        guard allowsPrivate || call.request.values("authorization").isEmpty else { return .next }
        // Bytes that are no text cannot be told apart, and so the answers to them.
        guard
            let request = CacheRequest(
                key: try key(call),
                source: call.request.source,
                headers: call.request.headers
            )
        else { return .next }
        guard let found = call.effects.cached(request) else {
            call.cacheLookup = CacheLookup(request: request, policy: self)
            // The backend must answer in full, and not say that the caller's copy is good.
            for name in ["If-None-Match", "If-Modified-Since"] where !call.request.values(name.lowercased()).isEmpty {
                call.request.headers.set(name, [])
            }
            return .next
        }
        call.response = found.response
        let age = (CacheRules.age(found.response) ?? 0) + found.secondsKept
        call.response?.headers.set("Age", [String(age)])
        note(call, age: age, secondsLeft: found.secondsLeft)
        return .continueAfterStore
    }

    /// What caches on the way to the caller may do with the answer.
    ///
    /// They count from its beginning, so that what is left to them is `max-age` less `Age`.
    func note(_ call: PolicyCall, age: Int, secondsLeft: Int) {
        switch downstream {
        case .none: call.response?.headers.set("Cache-Control", ["no-store"])
        case .private, .public:
            let words =
                "\(downstream.rawValue), max-age=\(age + secondsLeft)" + (mustRevalidate ? ", must-revalidate" : "")
            call.response?.headers.set("Cache-Control", [words])
        }
    }

    private func key(_ call: PolicyCall) throws(PolicyFailure) -> CacheKey {
        let request = call.request
        let source = request.source
        var key = CacheKey()
        key.add(call.facts.api.id)
        key.add(call.facts.api.revision)
        key.add(call.facts.operation?.id)
        key.add(source.path)
        // Where policies have sent the call by now is part of what it asks for.
        key.add(request.path)
        key.add(request.backendURL)
        key.add(request.backendID)
        let names = try parameters.names(call)
        if names.isEmpty {
            key.add(source.query)
            key.add(request.query)
        } else {
            let query = QueryList(source.query)
            for name in names { key.add(name, query.values(name)) }
        }
        for name in try headers.names(call) { key.add(name, request.values(name)) }
        if byDeveloper {
            key.add(call.facts.user?.id)
            key.add(call.facts.subscription?.id)
        }
        return key
    }
}

/// The names that elements of one kind hold, with semicolons between.
struct VaryNames: Sendable {
    private let values: [CompiledValue]
    /// Where all of them are known, in lower case and sorted.
    private let known: [String]?

    init(
        _ name: String,
        in element: PolicyElement,
        _ compiler: PolicyCompiler,
        mustBeFields: Bool = false
    ) throws(PolicyDiagnostic) {
        var values: [CompiledValue] = []
        for child in element.children where child.name == name {
            try compiler.only(child, attributes: [], text: true)
            guard let text = child.text else { continue }
            let value = try compiler.value(text)
            if mustBeFields, let words = value.constantText, !VaryNames.words(words).allSatisfy(FieldText.isName) {
                throw compiler.problem("<\(name)> must hold names of headers.", at: child.offset)
            }
            values.append(value)
        }
        self.values = values
        let texts = values.compactMap(\.constantText)
        known = texts.count == values.count ? texts.flatMap(VaryNames.words).sorted() : nil
    }

    private static func words(_ text: String) -> [String] {
        text.split(separator: ";").map { String($0).trimmingBlanks.lowercased() }.filter { !$0.isEmpty }
    }

    func names(_ call: PolicyCall) throws(PolicyFailure) -> [String] {
        if let known { return known }
        var names: [String] = []
        for value in values { names += VaryNames.words(try value.text(call)) }
        return names.sorted()
    }
}

/// A look-up that found nothing: what `cache-store` keeps the answer for.
struct CacheLookup {
    let request: CacheRequest
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
    /// nil for answers of 200 alone that do not forbid it.
    let isWanted: CompiledValue?

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        guard let lookup = call.cacheLookup, let response = call.response else { return .next }
        let isStored =
            try isWanted.map { wanted throws(PolicyFailure) in try wanted.bool(call) }
            ?? (response.status == 200 && !CacheRules.forbids(response))
        // A part of an answer, or the word that the caller's copy is good, answers nobody else.
        guard isStored, response.status != 206, response.status != 304,
            let names = CacheRules.varyingNames(response)
        else { return .next }
        let seconds = try duration.int(call)
        guard (1...CacheStorePolicy.durationMax).contains(seconds) else {
            throw .evaluation("The duration must be 1 to \(CacheStorePolicy.durationMax) seconds.")
        }
        // A cookie is for one caller.
        guard lookup.policy.allowsPrivate || response.values("set-cookie").isEmpty else { return .next }
        call.effects.keep(response, lookup.request, varyingBy: names, seconds: seconds)
        lookup.policy.note(call, age: CacheRules.age(response) ?? 0, secondsLeft: seconds)
        return .next
    }
}
