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

/// The plans that a loop remembers, found by the two objects that they are for.
///
/// A table of fixed size in which a newer plan takes the place of an older one: some 100 bytes each, and a plan that is gone is
/// made again.
struct CallPlans {
    private static let slotCount = 8192

    private var slots: [CallPlan?] = []

    func find(_ entry: OperationTable.Entry, _ subscription: SubscriptionEntry?) -> CallPlan? {
        guard !slots.isEmpty, let plan = slots[CallPlans.slot(entry, subscription)], plan.entry === entry,
            plan.subscription === subscription
        else { return nil }
        return plan
    }

    mutating func insert(_ plan: CallPlan) {
        if slots.isEmpty { slots = Array(repeating: nil, count: CallPlans.slotCount) }
        slots[CallPlans.slot(plan.entry, plan.subscription)] = plan
    }

    mutating func removeAll() { slots = [] }

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
