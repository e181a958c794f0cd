import Policies

/// A request that policies run on.
final class SampleRequest: RequestSource {
    var method = "GET"
    var scheme: String { "http" }
    var host = "gateway.test"
    var port: Int { 8080 }
    var path: String { "/guide" + operationPath }
    var operationPath = "/reviews/7"
    var query = "lang=en&details=true"
    var clientAddress = "10.1.2.3"
    var matchedParameters: [(name: String, value: String)] = [("id", "7"), ("lang", "en")]
    func templateText(_ name: String, isQuery: Bool) -> String? {
        matchedParameters.first { $0.name.lowercased() == name.lowercased() }.map { PercentText.encoded($0.value) }
    }
    var templateQueryNames: Set<String> { ["lang"] }
    var subscriptionKey: String? { "k1" }
    var headers: [(String, String)] = [("accept", "text/plain"), ("x-many", "a"), ("x-many", "b")]

    func values(_ lowercasedName: String) -> [String] {
        headers.filter { $0.0.lowercased() == lowercasedName }.map(\.1)
    }
}

final class SampleAnswer: HeaderSource {
    let headers: [String: [String]]

    init(_ headers: [String: [String]] = [:]) { self.headers = headers.merging(["x-backend": ["yes"]]) { $1 } }

    func values(_ lowercasedName: String) -> [String] { headers[lowercasedName] ?? [] }
}

/// Effects that say what was asked of them.
final class SampleEffects: PolicyEffects {
    var log: [String] = []
    var backend: [Result<Int, PolicyFailure>] = []
    /// Of the backend's answers, names in lower case.
    var answerHeaders: [String: [String]] = [:]
    var counts: [String: Int] = [:]
    var permits: [String: Int] = [:]
    var quotas: [QuotaVerdict] = []
    /// Calls that wait until somebody lets them go on.
    var waiting: [PolicyCall] = []
    var serviceName: String { "sample" }

    func reason(_ status: Int) -> String { status == 200 ? "OK" : "Other" }

    func makeRequestID() -> String { "5c1f" }

    func take(_ window: RateWindow, increment: Int) -> RateVerdict {
        let key = "\(window.counter) \(window.subject)"
        log.append("take \(key) \(increment)")
        let used = counts[key, default: 0]
        guard used < window.calls else { return RateVerdict(isAllowed: false, remaining: 0, retryAfter: 57) }
        counts[key] = used + increment
        return RateVerdict(isAllowed: true, remaining: window.calls - used - increment, retryAfter: 0)
    }

    func take(_ window: QuotaWindow, increment: Int, _ call: PolicyCall) -> QuotaVerdict {
        log.append("quota \(window.counter) \(window.subject) \(increment)")
        return quotas.isEmpty ? .allowed : quotas.removeFirst()
    }

    func add(_ window: QuotaWindow, _ count: Int) { log.append("add \(window.subject) \(count)") }

    func acquire(_ key: String, max: Int) -> Bool {
        guard permits[key, default: 0] < max else { return false }
        permits[key, default: 0] += 1
        return true
    }

    func release(_ key: String) { permits[key, default: 0] -= 1 }

    func forward(_ call: PolicyCall, _ options: ForwardOptions) {
        let request = call.request
        log.append(
            "\(request.method ?? request.source.method) \(request.backendURL ?? "")\(request.currentPath)?\(request.currentQuery)"
                + (options.timeout.map { " within \($0 / 1000)" } ?? "")
        )
        switch backend.isEmpty ? .success(200) : backend.removeFirst() {
        case .success(let status):
            call.forwarded(
                .success(PolicyResponse(status: status, source: SampleAnswer(answerHeaders), body: .streamed))
            )
        case .failure(let failure): call.forwarded(.failure(failure))
        }
    }

    var cache: [CacheKey: PolicyResponse] = [:]
    /// The names that the last answer of a key varies by.
    var varying: [CacheKey: [String]] = [:]
    var kept: [Int] = []
    var metrics: [EmittedMetric] = []

    func cached(_ request: CacheRequest) -> CachedAnswer? {
        guard let key = request.key(varyingBy: varying[request.key] ?? []), let found = cache[key] else { return nil }
        return CachedAnswer(response: found, secondsKept: 51, secondsLeft: 9)
    }

    func keep(_ response: PolicyResponse, _ request: CacheRequest, varyingBy names: [String], seconds: Int) {
        guard let key = request.key(varyingBy: names) else { return }
        varying[request.key] = names
        cache[key] = response
        kept.append(seconds)
    }

    func emit(_ metric: EmittedMetric) { metrics.append(metric) }

    var isEnded = false
    func ended(_ call: PolicyCall) { isEnded = true }

    func wait(_ milliseconds: Int64, _ call: PolicyCall) {
        log.append("wait \(milliseconds)")
        waiting.append(call)
    }
}

/// Runs documents on a sample request.
final class Sample {
    let request = SampleRequest()
    let effects = SampleEffects()
    private(set) var call: PolicyCall?
    var isEnded: Bool { effects.isEnded }
    var tracing = false
    var samples: [PolicyFacts.Sample] = []

    static let global = "<policies><inbound/><backend><forward-request/></backend><outbound/></policies>"

    /// - Parameter documents: texts from the widest scope on.
    func run(
        _ documents: [(PolicyScope, String)],
        surroundings: PolicySurroundings = PolicySurroundings(),
        subscription: String? = "sub"
    ) throws {
        try run(
            PolicyProgram(
                try documents.map {
                    try PolicyDocument($0.1, isRaw: true, scope: $0.0, owner: "o", surroundings: surroundings)
                }
            ),
            subscription: subscription
        )
    }

    func run(_ program: PolicyProgram, subscription: String? = "sub") throws {
        effects.isEnded = false
        let made = PolicyCall(
            program: program,
            facts: PolicyFacts(
                api: PolicyFacts.API(id: "guide", name: "Guide", path: "guide"),
                operation: PolicyFacts.Operation(
                    id: "read",
                    name: "Read",
                    method: "GET",
                    urlTemplate: "/reviews/{id}",
                    samples: samples
                ),
                product: PolicyFacts.Product(
                    id: "starter",
                    name: "Starter",
                    isPublished: true,
                    requiresApproval: false,
                    requiresSubscription: true
                ),
                subscription: subscription.map { PolicyFacts.Subscription(id: $0, name: "Sub") },
                user: nil
            ),
            source: request,
            effects: effects,
            trace: tracing ? CallTrace(start: 0, clock: { (0, 10_000) }, timestamp: { String($0) }) : nil
        )
        call = made
        made.start()
    }

    /// Runs an API's document below the usual global one, its policies given by section.
    func run(
        inbound: String = "<base/>",
        backend: String = "<base/>",
        outbound: String = "<base/>",
        onError: String = "<base/>",
        surroundings: PolicySurroundings = PolicySurroundings(),
        subscription: String? = "sub"
    ) throws {
        try run(
            [
                (.global, Self.global),
                (
                    .api,
                    "<policies><inbound>\(inbound)</inbound><backend>\(backend)</backend><outbound>\(outbound)</outbound>"
                        + "<on-error>\(onError)</on-error></policies>"
                ),
            ],
            surroundings: surroundings,
            subscription: subscription
        )
    }

    var response: PolicyResponse? { call?.response }
    var status: Int? { response?.status }
    var body: String? {
        guard case .bytes(let bytes)? = response?.body else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
