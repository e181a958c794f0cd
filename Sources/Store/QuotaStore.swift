/// How many calls of a quota's period may already have been let through: written ahead, so that a crash forgets none.
package struct QuotaReservation: Sendable, Equatable {
    /// The policy that counts, and whom it counts.
    package let counter: String
    package let subject: String
    /// When the period began, in seconds since 1970.
    package let period: Int64
    /// When it ends; nil for one that never does, and for those that earlier versions reserved.
    package let end: Int64?
    package let calls: Int64

    package init(counter: String, subject: String, period: Int64, end: Int64? = nil, calls: Int64) {
        self.counter = counter
        self.subject = subject
        self.period = period
        self.end = end
        self.calls = calls
    }
}

/// Keeps the reservations of quotas; durable before it answers.
package protocol QuotaStore: Sendable {
    /// Raises a reservation; one that is not above what is stored for its period changes nothing.
    func reserve(_ reservation: QuotaReservation) async throws

    /// Says how many calls of a period count as let through, be it fewer than were.
    func replace(_ reservation: QuotaReservation) async throws

    /// What is reserved for a subject by all counters.
    func reservations(subject: String) async throws -> [QuotaReservation]

    /// Removes what is reserved for periods that ended before a time, some rows at a time.
    ///
    /// - Parameter time: in seconds since 1970.
    /// - Returns: how many were removed.
    func removeEnded(before time: Int64) async throws -> Int

    /// What is reserved for a period with that end; 0 where nothing is.
    func reserved(counter: String, subject: String, period: Int64, end: Int64?) async throws -> Int64
}
