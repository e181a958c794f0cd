/// Calls by method and status with the buckets that OpenTelemetry recommends for `http.server.request.duration`.
package struct HTTPMetrics: Sendable {
    /// Methods by name; others are `_OTHER`, so that callers cannot make series.
    package enum Method: UInt8, Sendable, CaseIterable {
        case get, head, post, put, delete, connect, options, trace, patch, other

        package init(_ bytes: UnsafeRawBufferPointer) {
            func `is`(_ word: StaticString) -> Bool {
                bytes.count == word.utf8CodeUnitCount
                    && word.withUTF8Buffer { bytes.elementsEqual($0) }
            }
            switch bytes.count {
            case 3: self = `is`("GET") ? .get : `is`("PUT") ? .put : .other
            case 4: self = `is`("POST") ? .post : `is`("HEAD") ? .head : .other
            case 5: self = `is`("PATCH") ? .patch : `is`("TRACE") ? .trace : .other
            case 6: self = `is`("DELETE") ? .delete : .other
            case 7: self = `is`("OPTIONS") ? .options : `is`("CONNECT") ? .connect : .other
            default: self = .other
            }
        }

        var name: String { self == .other ? "_OTHER" : "\(self)".uppercased() }
    }

    /// Upper ends, in microseconds.
    static let bounds: [Int64] = [
        5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000, 1_000_000, 2_500_000, 5_000_000,
        7_500_000, 10_000_000,
    ]

    struct Series: Sendable {
        let method: Method
        let status: Int
        /// Not added up; the last one holds what is longer than every bound.
        var buckets = [UInt64](repeating: 0, count: HTTPMetrics.bounds.count + 1)
        var microseconds: Int64 = 0
    }

    /// Few: methods and statuses that came.
    private(set) var series: [Series] = []
    private var last = 0

    package init() {}

    mutating func add(method: Method, status: Int, microseconds: Int64) {
        let place = place(method, status)
        var bucket = 0
        while bucket < HTTPMetrics.bounds.count, microseconds > HTTPMetrics.bounds[bucket] { bucket &+= 1 }
        series[place].buckets[bucket] &+= 1
        series[place].microseconds &+= microseconds
    }

    private mutating func place(_ method: Method, _ status: Int) -> Int {
        if last < series.count, series[last].method == method, series[last].status == status { return last }
        if let found = series.firstIndex(where: { $0.method == method && $0.status == status }) {
            last = found
            return found
        }
        series.append(Series(method: method, status: status))
        last = series.count - 1
        return last
    }

    package mutating func merge(_ other: HTTPMetrics) {
        for item in other.series {
            let place = place(item.method, item.status)
            for bucket in item.buckets.indices { series[place].buckets[bucket] &+= item.buckets[bucket] }
            series[place].microseconds &+= item.microseconds
        }
    }
}
