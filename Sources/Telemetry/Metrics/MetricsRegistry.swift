import Synchronization

/// A value that a policy emitted.
package struct MetricSample: Sendable {
    package let name: String
    package let namespace: String
    package let value: Double
    /// In their order.
    package let dimensions: [(name: String, value: String)]

    package init(name: String, namespace: String, value: Double, dimensions: [(name: String, value: String)]) {
        self.name = name
        self.namespace = namespace
        self.value = value
        self.dimensions = dimensions
    }
}

/// What `/metrics` tells: kept since the process began.
package final class MetricsRegistry: Sendable {
    /// Series of emitted metrics: dimensions are what callers send, and each series is kept for ever.
    package static let emittedMax = 10_000
    /// APIs with a series of their own; the rest is added up as `_other`.
    private static let apisMax = 2_000

    private struct Emitted {
        var sum = 0.0
        var count: UInt64 = 0
    }

    private struct State {
        var http = HTTPMetrics()
        var apis: [String: (calls: Int64, bytes: Int64)] = [:]
        /// By metric, then by its labels as text.
        var emitted: [String: [String: Emitted]] = [:]
        var emittedCount = 0
        var lostSamples = 0
        var sampledAway = 0
        var unlogged = 0
        var factsLost = 0
    }

    private let state = Mutex(State())

    package init() {}

    package func take(_ batch: FactBatch) {
        state.withLock { state in
            state.http.merge(batch.metrics)
            for item in batch.usage {
                var place = state.apis.index(forKey: item.subject.api)
                if place == nil {
                    let name = state.apis.count < MetricsRegistry.apisMax ? item.subject.api : "_other"
                    state.apis[name, default: (0, 0)] = state.apis[name] ?? (0, 0)
                    place = state.apis.index(forKey: name)
                }
                guard let place else { continue }
                state.apis.values[place].calls += item.totals.calls
                state.apis.values[place].bytes += item.totals.bandwidth
            }
            for sample in batch.samples { Self.take(sample, &state) }
            state.lostSamples += batch.lostSamples
            state.sampledAway += max(0, batch.seen - batch.details.count)
            state.unlogged += batch.unlogged
        }
    }

    /// Usage that could not be written.
    package func factsWereLost(_ calls: Int) { state.withLock { $0.factsLost += calls } }

    /// Lines that the access log could not take.
    package func linesWereLost(_ count: Int) { state.withLock { $0.unlogged += count } }

    private static func take(_ sample: MetricSample, _ state: inout State) {
        // A prefix of their own, so that no policy writes into the metrics of this process.
        let space = sample.namespace.isEmpty ? "" : "_\(sample.namespace)"
        let name = PrometheusText.name("emitted\(space)_\(sample.name)")
        let labels = PrometheusText.labels(sample.dimensions.map { (PrometheusText.name($0.name), $0.value) })
        if state.emitted[name]?[labels] == nil {
            guard state.emittedCount < emittedMax else {
                state.lostSamples += 1
                return
            }
            state.emittedCount += 1
        }
        state.emitted[name, default: [:]][labels, default: Emitted()].sum += sample.value
        state.emitted[name, default: [:]][labels, default: Emitted()].count += 1
    }

    /// The text of `/metrics`.
    ///
    /// - Parameter gauges: what is read at this moment: name, help and value.
    package func text(gauges: [(name: String, help: String, value: Double)]) -> String {
        let state = state.withLock { $0 }
        var text = PrometheusText()
        text.begin("http_server_request_duration_seconds", "histogram", "Duration of calls of the gateway.")
        for series in state.http.series.sorted(by: { ($0.method.rawValue, $0.status) < ($1.method.rawValue, $1.status) }
        ) {
            let labels = [
                ("http_request_method", series.method.name), ("http_response_status_code", String(series.status)),
            ]
            var count: UInt64 = 0
            for (bucket, bound) in HTTPMetrics.bounds.enumerated() {
                count += series.buckets[bucket]
                text.line("_bucket", labels + [("le", PrometheusText.number(Double(bound) / 1e6))], Double(count))
            }
            count += series.buckets.last ?? 0
            text.line("_bucket", labels + [("le", "+Inf")], Double(count))
            text.line("_sum", labels, Double(series.microseconds) / 1e6)
            text.line("_count", labels, Double(count))
        }
        text.begin("gatehouse_api_calls_total", "counter", "Calls by API; empty for calls that no API was found for.")
        let apis = state.apis.sorted { $0.key < $1.key }
        for (api, totals) in apis { text.line("", [("api", api)], Double(totals.calls)) }
        text.begin("gatehouse_api_bytes_total", "counter", "Bytes of requests and answers by API.")
        for (api, totals) in apis { text.line("", [("api", api)], Double(totals.bytes)) }
        for (name, help, value) in [
            (
                "gatehouse_request_details_sampled_total",
                "Calls without a row of their own, since others stand for them.",
                state.sampledAway
            ),
            ("gatehouse_access_log_dropped_total", "Calls that the access log misses.", state.unlogged),
            ("gatehouse_emitted_metrics_dropped_total", "Values of emit-metric that found no room.", state.lostSamples),
            ("gatehouse_usage_dropped_total", "Calls whose usage could not be written.", state.factsLost),
        ] {
            text.begin(name, "counter", help)
            text.line("", [], Double(value))
        }
        for gauge in gauges {
            text.begin(gauge.name, gauge.name.hasSuffix("_total") ? "counter" : "gauge", gauge.help)
            text.line("", [], gauge.value)
        }
        for (name, series) in state.emitted.sorted(by: { $0.key < $1.key }) {
            text.begin(name, "summary", "Emitted by policies.")
            for (labels, value) in series.sorted(by: { $0.key < $1.key }) {
                text.line("_sum", labels, value.sum)
                text.line("_count", labels, Double(value.count))
            }
        }
        return text.text
    }
}

/// Writes the text format that Prometheus reads, version 0.0.4.
struct PrometheusText {
    private(set) var text = ""
    private var metric = ""

    mutating func begin(_ name: String, _ type: String, _ help: String) {
        metric = name
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    mutating func line(_ suffix: String, _ labels: [(String, String)], _ value: Double) {
        line(suffix, PrometheusText.labels(labels), value)
    }

    mutating func line(_ suffix: String, _ labels: String, _ value: Double) {
        text += "\(metric)\(suffix)\(labels) \(PrometheusText.number(value))\n"
    }

    static func number(_ value: Double) -> String {
        value.rounded() == value && value.magnitude < 1e15 ? String(Int64(value)) : String(value)
    }

    /// What is no letter, digit or underscore becomes an underscore.
    static func name(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            let isLetter = ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "_"
            let isDigit = ("0"..."9").contains(scalar)
            if isDigit, result.isEmpty { result.append("_") }
            result.unicodeScalars.append(isLetter || isDigit ? scalar : "_")
        }
        return result.isEmpty ? "_" : result
    }

    static func labels(_ labels: [(String, String)]) -> String {
        guard !labels.isEmpty else { return "" }
        let items = labels.map { name, value in
            var escaped = ""
            for scalar in value.unicodeScalars {
                switch scalar {
                case "\\": escaped += "\\\\"
                case "\"": escaped += "\\\""
                case "\n": escaped += "\\n"
                default: escaped.unicodeScalars.append(scalar)
                }
            }
            return "\(name)=\"\(escaped)\""
        }
        return "{" + items.joined(separator: ",") + "}"
    }
}
