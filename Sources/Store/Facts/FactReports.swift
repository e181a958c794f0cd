package import Telemetry

/// Reads what was told of calls (contracts/api-management.md 6).
package protocol FactReports: Sendable {
    /// Calls added up by what a report groups them by.
    func usage(_ query: UsageQuery) async throws -> [UsageReportRow]

    /// Calls singly, the newest first, as far as they are kept.
    func requests(_ query: RequestQuery) async throws -> [RequestReportRow]
}

/// What calls are told apart by.
package enum FactField: String, Sendable, CaseIterable {
    case api, operation, product, subscription, user
    /// Of the caller; empty where nothing is known of the place.
    case country, region, zip
}

/// What a report looks at.
package struct FactScope: Sendable {
    /// Milliseconds since 1970, inclusive; roll-ups are of minutes.
    package var from: Int64
    package var to: Int64
    /// Exact values, without case.
    package var matches: [(field: FactField, value: String)] = []

    package init(from: Int64, to: Int64) {
        self.from = from
        self.to = to
    }
}

package struct UsageQuery: Sendable {
    package enum Order: String, Sendable {
        case callsTotal, callsSuccess, callsBlocked, callsFailed, callsOther, bandwidth, time
    }

    package var scope: FactScope
    /// Columns of which each combination is a row.
    package var groups: [FactField]
    /// Minutes of a row where a report goes along time; nil for all in one.
    package var interval: Int64?
    package var order: (by: Order, isDescending: Bool)?
    package var skip = 0
    package var top: Int

    package init(scope: FactScope, groups: [FactField], interval: Int64? = nil, top: Int) {
        self.scope = scope
        self.groups = groups
        self.interval = interval
        self.top = top
    }
}

package struct UsageReportRow: Sendable {
    package let subject: UsageSubject
    /// Minutes since 1970 at the interval's start; nil where the report has none.
    package let minute: Int64?
    /// Without the histogram.
    package let totals: UsageTotals
}

package struct RequestQuery: Sendable {
    package var scope: FactScope
    package var skip = 0
    package var top: Int

    package init(scope: FactScope, top: Int) {
        self.scope = scope
        self.top = top
    }
}

package struct RequestReportRow: Sendable {
    package let subject: UsageSubject
    package let id: String
    /// Milliseconds since 1970.
    package let time: Int64
    package let method: String
    package let url: String
    package let address: String
    package let status: Int
    package let backendStatus: Int
    package let requestBytes: Int64
    package let responseBytes: Int64
    package let microseconds: Int64
    package let serviceMicroseconds: Int64?
    package let cache: String
}
