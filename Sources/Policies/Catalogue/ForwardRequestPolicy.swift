/// `forward-request`: sends the call to its backend.
struct ForwardRequestPolicy: PolicyStep {
    static let definition = PolicyDefinition("forward-request", sections: [.backend]) {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        try compiler.only(
            element,
            attributes: [
                "timeout", "timeout-ms", "follow-redirects", "buffer-request-body", "buffer-response",
                "fail-on-error-status-code", "http-version", "continue-timeout",
            ]
        )
        // Backends are spoken to by HTTP/1.1, which 2or1 may end in too; nobody's 100 is waited for before a body goes out.
        _ = try compiler.choice(element, "http-version", default: HTTPVersion.one)
        if case .constant = try compiler.value(element, "continue-timeout") {
            _ = try compiler.needNumber(element, "continue-timeout", 0...86_400)
        }
        let followsRedirects = try compiler.flag(element, "follow-redirects", default: false)
        let buffersRequest = try compiler.flag(element, "buffer-request-body", default: false)
        // Answers always go on as they come, whichever way it is set: nothing that a client can see depends on it.
        _ = try compiler.flag(element, "buffer-response", default: true)
        let timeout = try compiler.value(element, "timeout")
        if case .constant = timeout { _ = try compiler.needNumber(element, "timeout", 1...86_400) }
        let milliseconds = try compiler.value(element, "timeout-ms")
        if case .constant = milliseconds { _ = try compiler.needNumber(element, "timeout-ms", 1...86_400_000) }
        guard timeout == nil || milliseconds == nil else {
            throw compiler.problem("\"timeout\" and \"timeout-ms\" exclude one another.", at: element.offset)
        }
        let failsOnError = try compiler.flag(element, "fail-on-error-status-code", default: false)
        steps.add(
            ForwardRequestPolicy(
                timeout: timeout,
                timeoutMilliseconds: milliseconds,
                followsRedirects: followsRedirects,
                failsOnError: failsOnError,
                buffersRequest: buffersRequest
            )
        )
        if failsOnError { steps.add(StatusCheck()) }
    }

    /// What documents may ask for (docs/policies.md says what becomes of it).
    private enum HTTPVersion: String, CaseIterable {
        case one = "1"
        case two = "2"
        case twoOrOne = "2or1"
    }

    /// Seconds.
    var timeout: CompiledValue?
    var timeoutMilliseconds: CompiledValue?
    var followsRedirects = false
    var failsOnError = false
    /// Whether the body is waited for as a whole, so that it can be sent again.
    var buffersRequest = false

    /// Whether it does nothing but forward, by all defaults.
    var isPlain: Bool {
        timeout == nil && timeoutMilliseconds == nil && !followsRedirects && !failsOnError && !buffersRequest
    }

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        var options = ForwardOptions()
        if let timeout {
            let seconds = try timeout.int(call)
            guard (1...86_400).contains(seconds) else { throw .evaluation("The timeout must be 1 to 86400 seconds.") }
            options.timeout = Int64(seconds) * 1000
        }
        if let timeoutMilliseconds {
            let milliseconds = try timeoutMilliseconds.int(call)
            guard (1...86_400_000).contains(milliseconds) else {
                throw .evaluation("The timeout must be 1 to 86400000 milliseconds.")
            }
            options.timeout = Int64(milliseconds)
        }
        options.followsRedirects = followsRedirects
        call.effects.forward(call, options)
        return .wait
    }

    /// Makes an error of an answer of 400 to 599.
    struct StatusCheck: PolicyStep {
        func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
            guard let status = call.response?.status, (400..<600).contains(status) else { return .next }
            throw .inside("BackendStatusFailure", "The backend answered with status \(status).")
        }
    }
}
