import ResourceModel
package import Store

/// The states of a lease and what leads from one to another (REST reference, Lease Blob and Lease Container).
package enum LeaseRules {
    package enum State: String, Sendable {
        case available, leased, expired, breaking, broken
    }

    /// What is leased: the words of its errors.
    enum Kind: Sendable {
        case blob, container

        private var word: String { self == .blob ? "blob" : "container" }
        private var name: String { self == .blob ? "Blob" : "Container" }

        var missing: BlobError {
            .lease(
                412,
                "LeaseIdMissing",
                "There is currently a lease on the \(word) and no lease ID was specified in the request."
            )
        }
        var mismatch: BlobError {
            .lease(
                412,
                "LeaseIdMismatchWith\(name)Operation",
                "The lease ID specified did not match the lease ID for the \(word)."
            )
        }
        var lost: BlobError {
            .lease(
                412,
                "LeaseLost",
                "A lease ID was specified, but the lease for the \(word) has expired."
            )
        }
        var notPresent: BlobError {
            .lease(412, "LeaseNotPresentWith\(name)Operation", "There is currently no lease on the \(word).")
        }
    }

    package enum Action: Sendable {
        case acquire(duration: Int, proposed: String?)
        case renew(String)
        case change(String, proposed: String)
        case release(String)
        case `break`(period: Int?)
    }

    package struct Outcome: Sendable {
        let status: Int
        package var id: String?
        /// Seconds until a broken lease ends.
        package var timeLeft: Int?
    }

    package static func state(_ lease: Lease, at now: Double) -> State {
        guard lease.id != nil else { return .available }
        if let breaksAt = lease.breaksAt { return now < breaksAt ? .breaking : .broken }
        if let expiresAt = lease.expiresAt, now >= expiresAt { return .expired }
        return .leased
    }

    /// `locked` or `unlocked`.
    static func status(_ lease: Lease, at now: Double) -> String {
        let state = state(lease, at: now)
        return state == .leased || state == .breaking ? "locked" : "unlocked"
    }

    /// The lease once its blob was written without it: an expired one can be renewed only while nobody wrote.
    static func afterWrite(_ lease: Lease, at now: Double) -> Lease {
        state(lease, at: now) == .expired ? Lease() : lease
    }

    package static func apply(_ action: Action, to lease: inout Lease, at now: Double) throws(BlobError) -> Outcome {
        let state = state(lease, at: now)
        switch action {
        case .acquire(let duration, let proposed):
            let isSame = proposed != nil && proposed?.lowercased() == lease.id?.lowercased()
            if state == .breaking {
                throw isSame
                    ? .lease(
                        409,
                        "LeaseIsBreakingAndCannotBeAcquired",
                        "The lease ID matched, but the lease is currently in breaking state and cannot be acquired until it is broken."
                    ) : alreadyPresent
            }
            guard state != .leased || isSame else { throw alreadyPresent }
            lease = Lease()
            lease.id = proposed ?? Identifier.guid()
            lease.duration = duration
            lease.expiresAt = duration < 0 ? nil : now + Double(duration)
            return Outcome(status: 201, id: lease.id)
        case .renew(let id):
            try expect(id, lease, state)
            guard state != .breaking, state != .broken else {
                throw .lease(
                    409,
                    "LeaseIsBrokenAndCannotBeRenewed",
                    "The lease ID matched, but the lease has been broken explicitly and cannot be renewed."
                )
            }
            lease.expiresAt = lease.duration < 0 ? nil : now + Double(lease.duration)
            return Outcome(status: 200, id: lease.id)
        case .change(let id, let proposed):
            guard state == .leased || state == .breaking else { throw notPresent }
            guard lease.id?.lowercased() == id.lowercased() || lease.id?.lowercased() == proposed.lowercased() else {
                throw mismatch
            }
            guard state == .leased else {
                throw .lease(
                    409,
                    "LeaseIsBreakingAndCannotBeChanged",
                    "The lease ID matched, but the lease is currently in breaking state and cannot be changed."
                )
            }
            lease.id = proposed
            return Outcome(status: 200, id: proposed)
        case .release(let id):
            try expect(id, lease, state)
            lease = Lease()
            return Outcome(status: 200)
        case .break(let period):
            switch state {
            case .available, .expired:
                if state == .expired {
                    lease.breaksAt = now
                    return Outcome(status: 202, timeLeft: 0)
                }
                throw notPresent
            case .broken: return Outcome(status: 202, timeLeft: 0)
            case .leased, .breaking:
                let remaining = (lease.breaksAt ?? lease.expiresAt).map { max(0, $0 - now) }
                // Without a period a lease with an end runs to it, one without ends at once; no period makes it longer.
                let wanted = period.map(Double.init) ?? remaining ?? 0
                let left = min(wanted, remaining ?? wanted)
                lease.breaksAt = now + left
                return Outcome(status: 202, timeLeft: Int(left.rounded(.up)))
            }
        }
    }

    private static func expect(_ id: String, _ lease: Lease, _ state: State) throws(BlobError) {
        guard state != .available else { throw mismatch }
        guard lease.id?.lowercased() == id.lowercased() else { throw mismatch }
    }

    private static let alreadyPresent = BlobError.lease(409, "LeaseAlreadyPresent", "There is already a lease present.")
    private static let notPresent = BlobError.lease(
        409,
        "LeaseNotPresentWithLeaseOperation",
        "There is currently no lease on the resource."
    )
    private static let mismatch = BlobError.lease(
        409,
        "LeaseIdMismatchWithLeaseOperation",
        "The lease ID specified did not match the lease ID for the resource."
    )
}
