package import Expressions
import ResourceModel

/// One call on its way through a program: the state that its steps read and change; used on one event loop.
package final class PolicyCall {
    /// Steps of one call, jumps of `retry` included: a program that goes in circles ends.
    private static let stepsMax = 100_000

    package let facts: PolicyFacts
    package var request: PolicyRequest
    package var response: PolicyResponse?
    package private(set) var lastError: LastError?
    /// Names the call in logs and answers.
    package private(set) lazy var requestID = effects.makeRequestID()
    let effects: any PolicyEffects
    package var variables: [String: ExpressionValue] = [:]
    /// The request as the policies made it, while another one follows where an answer pointed: that one is nothing they wrote.
    package var requestBeforeRedirect: PolicyRequest?
    /// Answers that policies kept in variables.
    var responses: [String: PolicyResponse] = [:]
    /// The backend's last answer, the only one whose body may still come.
    private var lastForwarded: ObjectIdentifier?
    /// Keys of `limit-concurrency` that this call holds.
    var permits: [String] = []
    /// Fields that go out with whatever answer the call gets.
    var answerFields = HeaderEdits()
    /// What is counted once the answer is known.
    var afterAnswer: [(PolicyCall) -> Void] = []
    /// Keys that this call was counted for by `quota-by-key`.
    var countedKeys: Set<CountedKey> = []
    /// Quotas that the bytes of the call count in once it has ended.
    package internal(set) var bandwidth: [QuotaWindow] = []
    /// What the response cache was asked for in vain.
    var cacheLookup: CacheLookup?
    /// What the response cache had to do with the call; nil where it was not asked.
    package private(set) var wasCached: Bool?
    /// nil unless somebody wants to see what the call does.
    package let trace: CallTrace?
    /// Attempts of each `retry`, by its place.
    var attempts: [Int: Int] = [:]
    /// What a backend was asked for in vain inside `retry`, until its condition was asked.
    var failedAttempt: FailedAttempt?

    package let program: PolicyProgram
    private var section = PolicySection.inbound
    /// The section's steps.
    private var instructions: [PolicyInstruction]
    private var place = 0
    private var steps = 0
    private var isRunning = false
    private var isEnded = false
    /// What a wait came back with before its step had returned.
    private var isResumed = false

    package init(
        program: PolicyProgram,
        facts: PolicyFacts,
        source: any RequestSource,
        effects: any PolicyEffects,
        trace: CallTrace? = nil
    ) {
        self.program = program
        self.facts = facts
        self.effects = effects
        self.trace = trace
        instructions = program.steps(.inbound)
        request = PolicyRequest(source: source)
    }

    /// Whether the caller's head may go on as it came; asked here, so that the request is not copied for it.
    package var isRequestUntouched: Bool {
        guard request.headers.edits.isEmpty, request.method == nil, request.path == nil, request.query == nil,
            case .original = request.body
        else { return false }
        return true
    }

    /// Whether the body of an answer that was kept can still be sent.
    func hasBody(of kept: PolicyResponse) -> Bool {
        guard case .streamed = kept.body else { return true }
        return kept.source.map { ObjectIdentifier($0) } == lastForwarded
    }

    /// Where the running step stands in its section; names `retry` loops.
    var currentPlace: Int { place }
    package var currentSection: String { section.rawValue }

    package func start() { run() }

    /// Answers a browser's question before a call; no section runs.
    package func answerPreflight() {
        do throws(PolicyFailure) {
            response = try program.preflight(self)
        } catch {
            take(error, nil)
        }
        end()
    }

    /// Runs on-error for a call that was refused before its policies began, as by its key.
    package func fail(_ failure: PolicyFailure) {
        take(failure, nil)
        run()
    }

    /// Goes on after a wait.
    package func resume() {
        guard !isEnded else { return }
        guard !isRunning else {
            isResumed = true
            return
        }
        place += 1
        run()
    }

    /// Takes the step that waits once more, since what it waited for is there.
    package func tryAgain() { run() }

    /// The backend answered, or did not.
    ///
    /// - Parameter mayRepeat: whether a request that failed can be sent again.
    package func forwarded(_ result: Result<PolicyResponse, PolicyFailure>, mayRepeat: Bool = true) {
        guard !isEnded else { return }
        if let before = requestBeforeRedirect {
            requestBeforeRedirect = nil
            request = before
        }
        switch result {
        case .success(let response):
            self.response = response
            // That of an attempt before.
            lastError = nil
            lastForwarded = response.source.map { ObjectIdentifier($0) }
            resume()
        case .failure(let failure):
            let failed = FailedAttempt(failure: failure, instruction: instructions[place], hasNoResponse: true)
            if mayRepeat, let test = retry(failed) {
                place = test - 1
                return resume()
            }
            take(failure, instructions[place])
            if !isRunning { run() } else { isResumed = true }
        }
    }

    /// Lets the `retry` around the current step judge an attempt that failed.
    ///
    /// - Returns: where its test stands; nil where there is none.
    private func retry(_ failed: FailedAttempt) -> Int? {
        guard let test = RetryPolicy.test(instructions, behind: place) else { return nil }
        for _ in 0..<min(permits.count, RetryPolicy.permits(instructions, at: place, of: test)) {
            effects.release(permits.removeLast())
        }
        note(failed.failure, failed.instruction)
        if failed.hasNoResponse { response = answer(failed.failure) }
        failedAttempt = failed
        return test
    }

    /// The caller has gone: nothing more happens.
    package func cancel() {
        isEnded = true
        releasePermits()
    }

    // MARK: - Inside

    private func run() {
        guard !isRunning, !isEnded else { return }
        isRunning = true
        defer { isRunning = false }
        while true {
            guard place < instructions.count else {
                guard advance() else { return end() }
                continue
            }
            steps += 1
            do throws(PolicyFailure) {
                guard steps <= PolicyCall.stepsMax else {
                    throw .inside("PolicyLimitExceeded", "The policies take more than \(PolicyCall.stepsMax) steps.")
                }
                let sectionBefore = section
                isResumed = false
                let flow = trace == nil ? try instructions[place].step.run(self) : try traced(instructions[place])
                switch flow {
                case .next: place += 1
                case .jump(let count): place += count
                case .finish: return end()
                case .continueAfterStore:
                    wasCached = true
                    section = .outbound
                    instructions = program.steps(section)
                    place = (instructions.firstIndex { $0.step is CacheStorePolicy } ?? -1) + 1
                case .wait:
                    guard isResumed else { return }
                    // A failure moved the call to on-error meanwhile.
                    if section == sectionBefore { place += 1 }
                }
            } catch {
                catchFailure(error)
            }
        }
    }

    /// Goes on after a step that failed: with the `retry` around it, if it asked the backend, or with on-error.
    private func catchFailure(_ failure: PolicyFailure) {
        let instruction = instructions[place]
        let isAnswer = instruction.step is ForwardRequestPolicy.StatusCheck
        // What a loop would not try again is left to the next one around it.
        let failed =
            failedAttempt
            ?? (isAnswer ? FailedAttempt(failure: failure, instruction: instruction, hasNoResponse: false) : nil)
        failedAttempt = nil
        if let failed, let test = retry(failed) {
            place = test
        } else {
            take(failure, failed?.instruction ?? instruction)
        }
    }

    /// Runs a step and tells the trace what it did.
    private func traced(_ instruction: PolicyInstruction) throws(PolicyFailure) -> PolicyFlow {
        let before = TracePoint(self)
        let section = currentSection
        let flow = try instruction.step.run(self)
        guard !(instruction.step is TracePolicy) else { return flow }
        var data: JSONObject = ["path": .string(instruction.path), "scope": .string(instruction.scope.rawValue)]
        if let id = instruction.policyID { data["policyId"] = .string(id) }
        switch flow {
        case .next: break
        case .jump(let count): data["flow"] = .string(count < 0 ? "repeated" : "skipped")
        case .wait: data["flow"] = "waits"
        case .finish: data["flow"] = "ends with its own answer"
        case .continueAfterStore: data["flow"] = "answered from the cache"
        }
        for (name, value) in TracePoint(self).changes(since: before, in: trace).members { data[name] = value }
        trace?.add(section, instruction.policy, .object(data))
        return flow
    }

    /// The next section; false after the last one.
    private func advance() -> Bool {
        place = 0
        switch section {
        case .inbound: section = .backend
        case .backend:
            section = .outbound
            // Nothing was forwarded: an empty answer goes out.
            if response == nil { response = PolicyResponse(status: 200) }
        case .outbound, .onError: return false
        }
        instructions = program.steps(section)
        return true
    }

    private func take(_ failure: PolicyFailure, _ instruction: PolicyInstruction?) {
        releasePermits()
        attempts = [:]
        note(failure, instruction)
        response = answer(failure)
        guard section != .onError else {
            // An error in on-error ends the call with the answer of that error.
            place = Int.max / 2
            return
        }
        section = .onError
        instructions = program.steps(section)
        place = 0
    }

    /// Says in the trace and in `context.LastError` what failed.
    private func note(_ failure: PolicyFailure, _ instruction: PolicyInstruction?) {
        trace?.add(
            section.rawValue,
            failure.source ?? instruction?.policy ?? "gateway",
            [
                "path": JSONValue(instruction?.path), "scope": JSONValue(instruction?.scope.rawValue),
                "error": ["reason": .string(failure.reason), "message": .string(failure.detail)],
                "response": ["status": .int(failure.status)],
            ]
        )
        lastError = LastError(
            source: failure.source ?? instruction?.policy ?? "gateway",
            reason: failure.reason,
            message: failure.detail,
            scope: instruction?.scope.rawValue,
            section: instruction == nil ? nil : section.rawValue,
            path: instruction?.path,
            policyID: instruction?.policyID
        )
    }

    private func answer(_ failure: PolicyFailure) -> PolicyResponse {
        var answer = PolicyResponse(
            status: failure.status,
            reason: failure.statusReason,
            body: .bytes(Array(FailureText.body(failure, requestID: requestID).utf8))
        )
        answer.headers.set(FieldName.contentType, ["application/json"])
        for field in failure.fields { answer.headers.set(field.name, [field.value]) }
        return answer
    }

    private func end() {
        guard !isEnded else { return }
        isEnded = true
        releasePermits()
        for field in answerFields.edits {
            // What caches must tell apart is added to what the backend says of it.
            if field.name === FieldName.vary {
                let before = response?.values("vary") ?? []
                response?.headers.set(field.name, to: (before + field.values).joined(separator: ", "))
            } else {
                response?.headers.set(field)
            }
        }
        if wasCached == nil, cacheLookup != nil { wasCached = false }
        for count in afterAnswer { count(self) }
        effects.ended(self)
    }

    private func releasePermits() {
        for key in permits { effects.release(key) }
        permits = []
    }
}

/// An attempt to ask a backend that failed inside `retry`.
struct FailedAttempt {
    let failure: PolicyFailure
    /// The step that failed.
    let instruction: PolicyInstruction
    /// Whether the backend gave no answer.
    let hasNoResponse: Bool
}

/// The contract's bodies, to the letter (contracts/api-management.md 2.1).
enum FailureText {
    static func body(_ failure: PolicyFailure, requestID: String) -> String {
        let head = "{ \"statusCode\": \(failure.status), \"message\": \(JSONValue.string(failure.message).text)"
        guard failure.status == 500, failure.message == "Internal server error" else { return head + " }" }
        return head + ", \"activityId\": \"\(requestID)\" }"
    }
}
