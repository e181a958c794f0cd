import Policies
import Telemetry

/// What a request line means under a snapshot.
final class RouteMatch {
    let api: APIRoute
    let entry: OperationTable.Entry
    /// How much of the path is the API's.
    let offset: Int

    init(api: APIRoute, entry: OperationTable.Entry, offset: Int) {
        self.api = api
        self.entry = entry
        self.offset = offset
    }
}

/// How the calls of a subscription to an operation go under a snapshot: judged once, and used for each of them.
final class CallPlan {
    let entry: OperationTable.Entry
    let subscription: SubscriptionEntry?
    /// nil where calls are only forwarded.
    let program: PolicyProgram?
    let facts: PolicyFacts
    let cell: FactRecorder.Cell

    init(
        entry: OperationTable.Entry,
        subscription: SubscriptionEntry?,
        program: PolicyProgram?,
        facts: PolicyFacts,
        cell: FactRecorder.Cell
    ) {
        self.entry = entry
        self.subscription = subscription
        self.program = program
        self.facts = facts
        self.cell = cell
    }
}

/// What a request line means with the key that came with it, under a snapshot.
///
/// What most calls ask for stands here by itself, so that a known call waits for few lines of memory.
final class KnownCall {
    let cell: FactRecorder.Cell
    /// nil where calls are only forwarded.
    let program: PolicyProgram?
    /// Bytes of a request's body.
    let bodyBytesMax: Int
    /// How much of the path is the API's.
    let offset: Int32
    /// Whether the key may ask for traces.
    let mayTrace: Bool
    /// Of the API.
    let backend: APIRoute.Backend
    let plan: CallPlan
    let api: APIRoute

    /// - Parameter bodyBytesMax: where the API says nothing else.
    init(_ match: RouteMatch, _ plan: CallPlan, bodyBytesMax: Int) {
        api = match.api
        backend = match.api.backend
        program = plan.program
        cell = plan.cell
        self.plan = plan
        self.bodyBytesMax = match.api.bodyBytesMax ?? bodyBytesMax
        offset = Int32(match.offset)
        mayTrace = plan.subscription?.mayTrace ?? false
    }
}

/// The plans that a loop remembers, found by the two objects that they are for.
///
/// A table of fixed size in which each plan has two places, and a newer one takes that of an older one: some 100 bytes each, and
/// a plan that is gone is made again.
struct CallPlans {
    private static let slotCount = 8192

    private var slots: [CallPlan?] = []

    func find(_ entry: OperationTable.Entry, _ subscription: SubscriptionEntry?) -> CallPlan? {
        guard !slots.isEmpty else { return nil }
        let slot = CallPlans.slot(entry, subscription)
        if let plan = slots[slot], plan.entry === entry, plan.subscription === subscription { return plan }
        if let plan = slots[slot ^ 1], plan.entry === entry, plan.subscription === subscription { return plan }
        return nil
    }

    mutating func insert(_ plan: CallPlan) {
        if slots.isEmpty { slots = Array(repeating: nil, count: CallPlans.slotCount) }
        let slot = CallPlans.slot(plan.entry, plan.subscription)
        // The one that stood there moves on to its neighbour's place.
        slots[slot ^ 1] = slots[slot]
        slots[slot] = plan
    }

    @inline(__always)
    private static func slot(_ entry: OperationTable.Entry, _ subscription: SubscriptionEntry?) -> Int {
        let first = UInt(bitPattern: ObjectIdentifier(entry).hashValueOfAddress)
        let second = subscription.map { UInt(bitPattern: ObjectIdentifier($0).hashValueOfAddress) } ?? 0
        // Objects stand at multiples of 16; the product's high bits mix all of both.
        let mixed = (first &* 0x9E37_79B9_7F4A_7C15) ^ (second &* 0xD6E8_FEB8_6659_FD93)
        return Int((mixed &* 0xD6E8_FEB8_6659_FD93) >> (64 - 13))
    }
}

extension ObjectIdentifier {
    /// The address itself: an identifier's own hash takes as long as the rest of a look-up.
    fileprivate var hashValueOfAddress: Int { Int(bitPattern: self) }
}
