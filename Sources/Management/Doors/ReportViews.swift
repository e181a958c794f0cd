import Foundation
import HTTPServing
import Hummingbird
import ResourceModel
import Store
import Telemetry

/// Reports of usage (contracts/api-management.md 6), read from the roll-ups and the kept calls.
struct ReportViews: Sendable {
    /// Minutes of an interval are a multiple of these.
    private static let intervalStep: Int64 = 15
    /// Calls of a page of the report by request.
    private static let requestsDefault = 1000
    /// A report over all there is ends here: the year 2200.
    private static let endOfTime: Int64 = 7_258_118_400_000

    let facts: any FactReports
    let service: ResourceService

    func answer(_ request: Request, _ name: String, _ routes: ARMRoutes) async throws -> Response {
        let scope = try scope(request, routes)
        let top = try routes.number(request, "$top", ResourceService.pageDefault, 1...ResourceService.pageMax)
        let skip = try routes.number(request, "$skip", 0, 0...10_000_000)
        if name == "byrequest" { return try await byRequest(request, scope, skip, routes) }
        let groups: [FactField]
        switch name {
        case "byapi": groups = [.api]
        case "byoperation": groups = [.api, .operation]
        case "byproduct": groups = [.product]
        case "bysubscription": groups = [.subscription, .product, .user]
        case "byuser": groups = [.user]
        case "bygeo": groups = [.country, .region, .zip]
        case "bytime": groups = []
        default: throw APIError.notFound("The report \(name.prefix(40)) is not known.")
        }
        var query = UsageQuery(scope: scope, groups: groups, top: top)
        query.skip = skip
        query.order = try order(request)
        if name == "bytime" { query.interval = try interval(request) }
        let rows = try await facts.usage(query)
        var values: [JSONValue] = []
        for row in rows { values.append(try await record(row, name, query.interval)) }
        return .json(["value": .array(values), "count": .int(values.count)])
    }

    // MARK: - Asking

    private func scope(_ request: Request, _ routes: ARMRoutes) throws(APIError) -> FactScope {
        guard let filter = try routes.filter(request) else {
            throw .validation("$filter", "A report needs a filter with timestamp ge and le.")
        }
        guard let terms = filter.conjunction else {
            throw .validation("$filter", "A report's filter is made of comparisons joined by and.")
        }
        var scope = FactScope(from: 0, to: ReportViews.endOfTime)
        for term in terms {
            if term.field == ["timestamp"] {
                let time = try ReportViews.milliseconds(term.value)
                switch term.comparison {
                case .greaterOrEqual: scope.from = max(scope.from, time)
                case .greater: scope.from = max(scope.from, time + 1)
                case .lessOrEqual: scope.to = min(scope.to, time)
                case .less: scope.to = min(scope.to, time - 1)
                case .equal, .notEqual: throw .validation("$filter", "The timestamp is compared by ge, gt, le or lt.")
                }
                continue
            }
            guard term.comparison == .equal, case .text(let text) = term.value else {
                throw .validation("$filter", "Fields beside timestamp are compared with a text by eq.")
            }
            let name = text.split(separator: "/").last.map(String.init) ?? ""
            switch term.field.joined(separator: "/") {
            case "apiId": scope.matches.append((.api, name))
            case "operationId": scope.matches.append((.operation, name))
            case "productId": scope.matches.append((.product, name))
            case "subscriptionId": scope.matches.append((.subscription, name))
            case "userId": scope.matches.append((.user, name))
            // There is one region, and it is this one.
            case "apiRegion": break
            case "country": scope.matches.append((.country, ReportViews.placeWord(text)))
            case "region": scope.matches.append((.region, ReportViews.placeWord(text)))
            case "zip": scope.matches.append((.zip, ReportViews.placeWord(text)))
            default:
                throw .validation(
                    "$filter",
                    "The field \"\(term.field.joined(separator: "/"))\" is none of reports; there are timestamp, apiId, operationId, "
                        + "productId, subscriptionId, userId and apiRegion."
                )
            }
        }
        return scope
    }

    /// What is not known is shown as a dash, and asked for as one.
    private static func placeWord(_ text: String) -> String { text == "-" ? "" : text }

    private static func milliseconds(_ value: ODataFilter.Value) throws(APIError) -> Int64 {
        let text: String
        switch value {
        case .time(let time): text = time
        case .text(let time): text = time
        default:
            throw .validation("$filter", "The timestamp is compared with a time, as datetime'2026-01-01T00:00:00'.")
        }
        let zoned = text.hasSuffix("Z") || text.dropFirst(10).contains("+") ? text : text + "Z"
        let full = text.count == 10 ? text + "T00:00:00Z" : zoned
        if let date = (try? Date(full, strategy: .iso8601))
            ?? (try? Date(full, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))),
            abs(date.timeIntervalSince1970) < 1e11
        {
            return Int64(date.timeIntervalSince1970 * 1000)
        }
        throw .validation("$filter", "\"\(text.prefix(40))\" is no time of ISO 8601.")
    }

    private func order(_ request: Request) throws(APIError) -> (by: UsageQuery.Order, isDescending: Bool)? {
        guard let text = request.query("$orderby"), !text.isEmpty else { return nil }
        let words = text.split(separator: " ").map(String.init)
        let orders: [String: UsageQuery.Order] = [
            "callcounttotal": .callsTotal, "callcountsuccess": .callsSuccess, "callcountblocked": .callsBlocked,
            "callcountfailed": .callsFailed, "callcountother": .callsOther, "bandwidth": .bandwidth, "timestamp": .time,
        ]
        guard words.count <= 2, let by = orders[words[0].lowercased()],
            words.count == 1 || ["asc", "desc"].contains(words[1].lowercased())
        else {
            throw .validation(
                "$orderby",
                "The order must be callCountTotal, callCountSuccess, callCountBlocked, callCountFailed, callCountOther, bandwidth or "
                    + "timestamp, with asc or desc."
            )
        }
        return (by, words.count == 2 && words[1].lowercased() == "desc")
    }

    private func interval(_ request: Request) throws(APIError) -> Int64 {
        guard let seconds = ISODuration.seconds(request.query("interval") ?? ""), seconds > 0,
            seconds % (ReportViews.intervalStep * 60) == 0
        else {
            throw .validation(
                "interval",
                "The interval must be an ISO 8601 duration of a multiple of 15 minutes, as PT15M."
            )
        }
        return seconds / 60
    }

    // MARK: - Showing

    private func record(_ row: UsageReportRow, _ report: String, _ interval: Int64?) async throws -> JSONValue {
        let totals = row.totals
        var record = JSONObject()
        let subject = row.subject
        func path(_ word: String, _ name: String) -> JSONValue { .string("/\(word)/\(name.isEmpty ? "-" : name)") }
        switch report {
        case "byapi":
            record["name"] = try await title(["apis", subject.api])
            record["apiId"] = path("apis", subject.api)
        case "byoperation":
            record["name"] = try await title(["apis", subject.api, "operations", subject.operation])
            record["apiId"] = path("apis", subject.api)
            record["operationId"] = path(
                "apis/\(subject.api.isEmpty ? "-" : subject.api)/operations",
                subject.operation
            )
        case "byproduct":
            record["name"] = try await title(["products", subject.product])
            record["productId"] = path("products", subject.product)
        case "bysubscription":
            record["name"] = try await title(["subscriptions", subject.subscription])
            record["subscriptionId"] = path("subscriptions", subject.subscription)
            record["productId"] = path("products", subject.product)
            record["userId"] = path("users", subject.user)
        case "byuser":
            record["name"] = try await title(["users", subject.user])
            record["userId"] = path("users", subject.user)
        case "bygeo":
            for (name, word) in [
                ("country", subject.place?.country), ("region", subject.place?.region), ("zip", subject.place?.zip),
            ] { record[name] = .string(word.flatMap { $0.isEmpty ? nil : $0 } ?? "-") }
        default:
            let start = Date(timeIntervalSince1970: Double((row.minute ?? 0) * 60))
            record["timestamp"] = .string(start.formatted(.iso8601))
            record["interval"] = .string("PT\(interval ?? 0)M")
        }
        func milliseconds(_ microseconds: Int64) -> JSONValue { .double(Double(microseconds) / 1000) }
        for (name, count) in [
            ("callCountSuccess", totals.success), ("callCountBlocked", totals.blocked),
            ("callCountFailed", totals.failed), ("callCountOther", totals.other),
            ("callCountTotal", totals.success + totals.blocked + totals.failed + totals.other),
            ("bandwidth", totals.bandwidth), ("cacheHitCount", totals.cacheHits),
            ("cacheMissCount", totals.cacheMisses),
        ] { record[name] = .int(Int(count)) }
        for (name, span) in [("apiTime", totals.time), ("serviceTime", totals.serviceTime)] {
            record["\(name)Avg"] = milliseconds(span.count == 0 ? 0 : span.sum / span.count)
            record["\(name)Min"] = milliseconds(span.count == 0 ? 0 : span.min)
            record["\(name)Max"] = milliseconds(span.max)
        }
        return .object(record)
    }

    /// What people call a resource; its id where it is gone.
    private func title(_ segments: [String]) async throws -> JSONValue {
        guard segments.allSatisfy({ !$0.isEmpty }), let found = try await service.store.get(ResourceID(segments)) else {
            return .string(segments.last.map { $0.isEmpty ? "-" : $0 } ?? "-")
        }
        if segments[0] == "users" {
            let words = ["firstName", "lastName"].compactMap { found.properties[$0]?.string }
            return .string(words.joined(separator: " "))
        }
        return found.properties["displayName"] ?? .string(found.id.name)
    }

    private func byRequest(
        _ request: Request,
        _ scope: FactScope,
        _ skip: Int,
        _ routes: ARMRoutes
    ) async throws -> Response {
        let top = try routes.number(request, "$top", ReportViews.requestsDefault, 1...ResourceService.pageMax)
        var query = RequestQuery(scope: scope, top: top)
        query.skip = skip
        let rows = try await facts.requests(query)
        let values = rows.map { row -> JSONValue in
            let subject = row.subject
            func path(_ word: String, _ name: String) -> JSONValue { .string("/\(word)/\(name.isEmpty ? "-" : name)") }
            let time = Date(timeIntervalSince1970: Double(row.time) / 1000)
            return [
                "apiId": path("apis", subject.api),
                "operationId": path("apis/\(subject.api.isEmpty ? "-" : subject.api)/operations", subject.operation),
                "productId": path("products", subject.product), "userId": path("users", subject.user),
                "method": .string(row.method), "url": .string(row.url), "ipAddress": .string(row.address),
                "backendResponseCode": .string(String(row.backendStatus)), "responseCode": .int(row.status),
                "responseSize": .int(Int(row.responseBytes)),
                "timestamp": .string(time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))),
                "cache": .string(row.cache), "apiTime": .double(Double(row.microseconds) / 1000),
                "serviceTime": .double(Double(row.serviceMicroseconds ?? 0) / 1000), "apiRegion": "Local",
                "subscriptionId": path("subscriptions", subject.subscription), "requestId": .string(row.id),
                "requestSize": .int(Int(row.requestBytes)),
            ]
        }
        return .json(["value": .array(values), "count": .int(values.count)])
    }
}
