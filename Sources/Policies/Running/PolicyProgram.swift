/// The four parts of a policy document.
package enum PolicySection: String, Sendable, CaseIterable {
    case inbound, backend, outbound
    case onError = "on-error"
}

/// Where a document stands.
package enum PolicyScope: String, Sendable, CaseIterable {
    case global, product, api, operation
}

/// What a step does next.
enum PolicyFlow {
    case next
    /// Goes on so many steps further, or back; 1 is the next one.
    case jump(Int)
    /// The call goes on later.
    case wait
    /// The answer is made: the rest of all sections is skipped.
    case finish
    /// The answer came from the cache: outbound goes on behind the policy that would have stored it.
    case continueAfterStore
}

/// One step of a program; immutable, shared by all calls.
protocol PolicyStep: Sendable {
    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow
}

/// A step with what errors and traces say of it.
struct PolicyInstruction: Sendable {
    let step: any PolicyStep
    /// The policy's element name.
    let policy: String
    let policyID: String?
    let scope: PolicyScope
    /// As `choose[1]/when[2]/set-header[1]`.
    let path: String
}

/// The policies of an operation, all scopes put together: steps one after another.
package final class PolicyProgram: Sendable {
    private let inbound: [PolicyInstruction]
    private let backend: [PolicyInstruction]
    private let outbound: [PolicyInstruction]
    private let onError: [PolicyInstruction]
    /// Whether a request's body is waited for as a whole, so that it can be sent more than once.
    package let buffersRequests: Bool
    /// Whether a request may be sent again because of what came of it (`retry`).
    package let mayRepeat: Bool
    /// The values of secret named values that its documents hold: what nobody is shown.
    package let secrets: Set<String>

    /// Puts documents together from the widest scope to the narrowest; a scope without a document passes its parent on.
    package init(_ documents: [PolicyDocument]) {
        func steps(_ section: PolicySection) -> [PolicyInstruction] {
            var result: [PolicyInstruction] = []
            for document in documents { result = document.instructions(section, base: result) }
            return result
        }
        secrets = documents.reduce(into: []) { $0.formUnion($1.secrets) }
        inbound = steps(.inbound)
        backend = steps(.backend)
        outbound = steps(.outbound)
        onError = steps(.onError)
        mayRepeat = RetryPolicy.stands(in: backend)
        // A request that may have to be sent to a second place is kept whole, as one that may be sent twice.
        buffersRequests = backend.contains { instruction in
            (instruction.step as? ForwardRequestPolicy).map { $0.buffersRequest || $0.followsRedirects } ?? false
        }
    }

    /// Whether a call may be forwarded as it came, as if there were no policy at all.
    package var onlyForwards: Bool {
        inbound.isEmpty && outbound.isEmpty && onError.isEmpty && backend.count == 1
            && (backend[0].step as? ForwardRequestPolicy)?.isPlain == true
    }

    /// What answers browsers that ask before a call, from the narrowest scope on.
    private var preflightPolicies: [CORSPolicy] { inbound.compactMap { $0.step as? CORSPolicy } }

    package var answersPreflights: Bool { !preflightPolicies.isEmpty }

    /// The answer to a preflight: nothing but `cors` has a say in it.
    func preflight(_ call: PolicyCall) throws(PolicyFailure) -> PolicyResponse {
        for policy in preflightPolicies {
            if let answer = try policy.preflight(call) { return answer }
        }
        return PolicyResponse(status: 200)
    }

    /// Whether an error goes anywhere but out.
    package var hasErrorPolicies: Bool { !onError.isEmpty }

    func steps(_ section: PolicySection) -> [PolicyInstruction] {
        switch section {
        case .inbound: inbound
        case .backend: backend
        case .outbound: outbound
        case .onError: onError
        }
    }
}
