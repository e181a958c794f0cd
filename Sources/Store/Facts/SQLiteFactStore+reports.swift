import GRDB
import Telemetry

extension SQLiteFactStore: FactReports {
    package func usage(_ query: UsageQuery) async throws -> [UsageReportRow] {
        let outer = Self.usageSQL(query)
        return try await file.read { db in
            var spans: [(span: Int64, until: Int64)] = []
            for span in Self.spans where query.interval.map({ $0 % span == 0 }) ?? true {
                if let until = try Self.until(span, db) { spans.append((span, until)) }
            }
            let from = query.scope.from / 60_000
            let stretches = Self.cover(from, query.scope.to / 60_000 + 1, spans)
            guard !stretches.isEmpty else { return [] }
            var arguments = StatementArguments()
            let parts = stretches.map { stretch -> String in
                let table = stretch.span == 1 ? "usage WHERE 1" : "usage_folded WHERE span = \(stretch.span)"
                arguments += [stretch.from, stretch.to]
                var part = "SELECT \(Self.columns) FROM \(table) AND minute >= ? AND minute < ?"
                for match in query.scope.matches {
                    part += " AND \(match.field.rawValue) = ? COLLATE NOCASE"
                    arguments += [match.value]
                }
                return part
            }
            let sql = outer.replacing("$ROWS", with: "(\(parts.joined(separator: " UNION ALL ")))")
            return try Row.fetchAll(db, sql: sql, arguments: arguments).map {
                UsageReportRow(subject: Self.subject($0), minute: $0[8], totals: Self.totals($0))
            }
        }
    }

    private static let columns = "minute, \(subjectColumns), \(totalColumns)"

    /// Where the minute stands among the columns that are shown, counted from one: behind the subject's.
    private static let minutePlace = FactField.allCases.count + 1

    private static func usageSQL(_ query: UsageQuery) -> String {
        var keys = query.groups.map(\.rawValue)
        if let interval = query.interval { keys.append("minute / \(interval)") }
        let shown = FactField.allCases.map { query.groups.contains($0) ? $0.rawValue : "''" }
        let minute = query.interval.map { "minute / \($0) * \($0)" } ?? "NULL"
        let group = keys.isEmpty ? "" : "GROUP BY \(keys.joined(separator: ", "))"
        var order = query.interval == nil ? "sum(success + blocked + failed + other) DESC" : "\(minutePlace)"
        if let wanted = query.order {
            let column =
                switch wanted.by {
                case .callsTotal: "sum(success + blocked + failed + other)"
                case .callsSuccess: "sum(success)"
                case .callsBlocked: "sum(blocked)"
                case .callsFailed: "sum(failed)"
                case .callsOther: "sum(other)"
                case .bandwidth: "sum(bandwidth)"
                case .time: "\(minutePlace)"
                }
            order = "\(column) \(wanted.isDescending ? "DESC" : "ASC")"
        }
        // Rows of one order stand always in the same one, so that pages do not overlap.
        order += keys.isEmpty ? "" : ", " + keys.joined(separator: ", ")
        return """
            SELECT \(shown.joined(separator: ", ")), \(minute), sum(success), sum(blocked), sum(failed), sum(other), sum(bandwidth),
                sum(cache_hits), sum(cache_misses), sum(time_count), sum(time_sum), min(time_min), max(time_max),
                sum(service_count), sum(service_sum), min(service_min), max(service_max)
            FROM $ROWS \(group) HAVING count(*) > 0 ORDER BY \(order) LIMIT \(query.top) OFFSET \(query.skip)
            """
    }

    /// Totals without their histogram, behind the minute.
    static func totals(_ row: Row) -> UsageTotals {
        var totals = UsageTotals()
        totals.success = row[9]
        totals.blocked = row[10]
        totals.failed = row[11]
        totals.other = row[12]
        totals.bandwidth = row[13]
        totals.cacheHits = row[14]
        totals.cacheMisses = row[15]
        totals.time.count = row[16]
        totals.time.sum = row[17]
        totals.time.min = row[18]
        totals.time.max = row[19]
        totals.serviceTime.count = row[20]
        totals.serviceTime.sum = row[21]
        totals.serviceTime.min = row[22]
        totals.serviceTime.max = row[23]
        return totals
    }

    package func requests(_ query: RequestQuery) async throws -> [RequestReportRow] {
        let (condition, arguments) = Self.condition(query.scope)
        let sql = """
            SELECT api, operation, product, subscription, user, id, time, method, url, address, status, backend_status,
                request_bytes, response_bytes, microseconds, service_microseconds, cache
            FROM requests WHERE \(condition) ORDER BY time DESC, ordinal DESC LIMIT \(query.top) OFFSET \(query.skip)
            """
        return try await file.read { db in
            try Row.fetchAll(db, sql: sql, arguments: arguments).map { row in
                RequestReportRow(
                    subject: Self.subject(row, hasPlace: false),
                    id: row[5],
                    time: row[6],
                    method: row[7],
                    url: row[8],
                    address: row[9],
                    status: row[10],
                    backendStatus: row[11],
                    requestBytes: row[12],
                    responseBytes: row[13],
                    microseconds: row[14],
                    serviceMicroseconds: row[15],
                    cache: row[16]
                )
            }
        }
    }

    /// - Parameter hasPlace: whether the place follows the five that each table has.
    static func subject(_ row: Row, hasPlace: Bool = true) -> UsageSubject {
        let place = hasPlace ? CallerPlace(country: row[5], region: row[6], zip: row[7]) : CallerPlace(country: "")
        return UsageSubject(
            api: row[0],
            operation: row[1],
            product: row[2],
            subscription: row[3],
            user: row[4],
            place: place == CallerPlace(country: "") ? nil : place
        )
    }

    /// Calls that are kept singly carry their address, and no place.
    private static func condition(_ scope: FactScope) -> (String, StatementArguments) {
        var terms = ["time >= ? AND time <= ?"]
        var arguments: StatementArguments = [scope.from, scope.to]
        for match in scope.matches where ![.country, .region, .zip].contains(match.field) {
            terms.append("\(match.field.rawValue) = ? COLLATE NOCASE")
            arguments += [match.value]
        }
        return (terms.joined(separator: " AND "), arguments)
    }
}
