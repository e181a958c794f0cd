package import Foundation
import HTTPServing
import HTTPTypes
import Hummingbird
import ResourceModel

/// The counters of quotas by the key that they count: a subscription's id, or what quota-by-key says (contracts/api-management.md 4.1).
package struct QuotaViews: Sendable {
    /// The most that a counter may be set to: what a policy may count.
    private static let countMax = 1 << 40
    private static let kilobyte = 1024.0

    /// A counter in one of its periods.
    package struct Counter: Sendable {
        /// Names the policy.
        package let name: String
        package let key: String
        package let start: Date
        /// nil where the period never ends.
        package let end: Date?
        package let isBandwidth: Bool
        /// Calls or bytes.
        package let count: Int64

        package init(name: String, key: String, start: Date, end: Date?, isBandwidth: Bool, count: Int64) {
            self.name = name
            self.key = key
            self.start = start
            self.end = end
            self.isBandwidth = isBandwidth
            self.count = count
        }
    }

    private let find: @Sendable (_ key: String) async throws -> [Counter]
    private let set: @Sendable (Counter, _ count: Int64) async throws -> Void

    package init(
        find: @Sendable @escaping (_ key: String) async throws -> [Counter],
        set: @Sendable @escaping (Counter, _ count: Int64) async throws -> Void
    ) {
        self.find = find
        self.set = set
    }

    /// - Parameter words: `quotas`, the key, and for one period `periods` (or not, at the direct door) and the period's key.
    func answer(_ request: Request, _ words: [String]) async throws -> Response {
        let key = words[1]
        let period = words.count > 2 ? words.last : nil
        var wanted: (calls: Int64?, bytes: Int64?) = (nil, nil)
        if request.method == .patch { wanted = try Self.wanted(try await request.jsonObject()) }
        guard [.get, .patch].contains(request.method) else { throw APIError.notFound("The path is not known.") }
        let found = try await find(key).filter { counter in period.map { $0 == Self.period(counter) } ?? true }
        if period != nil || request.method == .patch, found.isEmpty {
            throw APIError.notFound("No counter of the key \(key.prefix(100)) has a period that is not over.")
        }
        for counter in found {
            if let count = counter.isBandwidth ? wanted.bytes : wanted.calls { try await set(counter, count) }
        }
        let shown = Self.shown(request.method == .patch ? try await find(key) : found, period)
        guard period == nil else { return .json(shown.first ?? .null) }
        return .json(["value": .array(shown), "count": .int(shown.count)])
    }

    private static func wanted(_ body: JSONObject) throws(APIError) -> (calls: Int64?, bytes: Int64?) {
        let properties = body["properties"]?.object ?? body
        func number(_ name: String) throws(APIError) -> Double? {
            guard let value = properties[name], !value.isNull else { return nil }
            guard let number = value.double, number >= 0, number <= Double(countMax) else {
                throw .validation(name, "The value must be a number from 0 to \(countMax).")
            }
            return number
        }
        let calls = try number("callsCount")
        let kilobytes = try number("kbTransferred")
        guard calls != nil || kilobytes != nil else {
            throw .validation("callsCount", "callsCount or kbTransferred must be given.")
        }
        return (calls.map { Int64($0) }, kilobytes.map { Int64($0 * kilobyte) })
    }

    /// `1767225600_PT3600S`: when the period began, and how long it is.
    private static func period(_ counter: Counter) -> String {
        let start = Int64(counter.start.timeIntervalSince1970)
        guard let end = counter.end else { return "\(start)_P0D" }
        return "\(start)_PT\(Int64(end.timeIntervalSince(counter.start)))S"
    }

    /// The calls and the bytes of one period are one counter to clients.
    private static func shown(_ counters: [Counter], _ wanted: String?) -> [JSONValue] {
        var order: [String] = []
        var values: [String: JSONObject] = [:]
        for counter in counters {
            let period = period(counter)
            guard wanted == nil || wanted == period else { continue }
            let place = "\(period) \(counter.name)"
            if values[place] == nil {
                order.append(place)
                values[place] = [
                    "counterKey": .string(counter.key), "periodKey": .string(period),
                    "periodStartTime": .string(counter.start.formatted(.iso8601)),
                    // A date that clients can hold stands for never.
                    "periodEndTime": .string(
                        (counter.end ?? Date(timeIntervalSince1970: 253_402_300_799)).formatted(.iso8601)
                    ),
                    "value": ["callsCount": 0, "kbTransferred": 0],
                ]
            }
            var value = values[place]?["value"]?.object ?? JSONObject()
            if counter.isBandwidth {
                value["kbTransferred"] = .double(Double(counter.count) / kilobyte)
            } else {
                value["callsCount"] = .int(Int(counter.count))
            }
            values[place]?["value"] = .object(value)
        }
        return order.compactMap { values[$0].map(JSONValue.object) }
    }
}
