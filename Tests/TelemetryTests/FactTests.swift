import Telemetry
import Testing

@Suite struct `Latency histograms` {
    @Test func `quantiles are at most 2 percent off, over eight powers of ten`() {
        var state: UInt64 = 88_172_645_463_325_252
        for scale in [1.0, 1e2, 1e4, 1e6, 1e8] {
            var histogram = LatencyHistogram()
            var values: [UInt64] = []
            for _ in 0..<5000 {
                state ^= state << 13
                state ^= state >> 7
                state ^= state << 17
                let value = UInt64(Double(state % 1_000_000) / 1e6 * scale * 99 + scale)
                values.append(value)
                histogram.record(microseconds: value)
            }
            values.sort()
            for part in [0.01, 0.5, 0.9, 0.99, 0.999, 1] {
                let exact = Double(values[max(0, Int((Double(values.count) * part).rounded(.up)) - 1)])
                let found = histogram.quantile(part)
                #expect(abs(found - exact) <= exact * 0.02 + 0.5, "\(part) of \(scale): \(found) for \(exact)")
            }
        }
    }

    @Test func `parts added up are the whole, and bytes bring it back`() {
        var whole = LatencyHistogram()
        var parts = [LatencyHistogram(), LatencyHistogram(), LatencyHistogram()]
        for number in 0..<3000 {
            let value = UInt64(number * number * 7919 % 40_000_000)
            whole.record(microseconds: value)
            parts[number % 3].record(microseconds: value)
        }
        var sum = LatencyHistogram()
        for part in parts { sum.merge(part) }
        #expect(sum == whole)
        #expect(LatencyHistogram(bytes: whole.bytes) == whole)
        #expect(LatencyHistogram(bytes: Array(whole.bytes.dropLast())) == nil)
        #expect(LatencyHistogram(bytes: [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]) == nil)
        #expect(LatencyHistogram(bytes: [])?.quantile(0.5) == 0)
        // Counts that nobody counted: two of half of all numbers.
        let half: [UInt8] = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]
        #expect(LatencyHistogram(bytes: [1] + half) == nil)
        #expect(LatencyHistogram(bytes: [1, 2, 1] + half) == nil)
    }

    @Test func `no duration ends the process`() {
        var histogram = LatencyHistogram()
        histogram.record(microseconds: .max)
        histogram.record(microseconds: 0)
        #expect(histogram.quantile(0) == 0)
        #expect(histogram.quantile(1) > 2e11)
    }
}

@Suite struct `Trace context` {
    private func read(_ text: String) -> TraceContext? {
        Array(text.utf8).withUnsafeBytes { TraceContext($0) }
    }

    @Test func `is read and written`() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        let context = read(text)
        #expect(context?.trace.hex == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(context?.trace.guid == "4bf92f35-77b3-4da6-a3ce-929d0e0e4736")
        let written = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: TraceContext.length) { buffer in
            buffer.initialize(repeating: 0)
            context?.write(to: buffer)
            return String(decoding: buffer, as: UTF8.self)
        }
        #expect(written == text)
    }

    @Test(arguments: [
        "", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
    ])
    func `what is not valid begins a new trace`(text: String) { #expect(read(text) == nil) }

    @Test func `a later version is read as far as this one goes`() {
        #expect(read("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what") != nil)
    }
}

@Suite struct `Recording facts` {
    private final class Thing {}

    private func record(_ recorder: FactRecorder, _ cell: FactRecorder.Cell, at seconds: Int64, status: Int = 200) {
        recorder.record(
            cell,
            seconds: seconds,
            status: status,
            method: .get,
            requestBytes: 100,
            responseBytes: 50,
            microseconds: 1000,
            serviceMicroseconds: nil,
            cache: .none
        ) { RequestEvent(subject: cell.subject) }
    }

    @Test func `calls fall into the minute that they ended in`() {
        let inbox = FactInbox()
        let recorder = FactRecorder(inbox: inbox, logsRequests: false)
        let operation = Thing()
        let cell = recorder.cell(operation: operation, subscription: nil, keyParameter: []) { .unmatched }
        for seconds: Int64 in [59, 59, 60, 61, 119, 120] { record(recorder, cell, at: seconds) }
        recorder.handOn()
        let usage = FactBatch.addedUp(inbox.takeAll().flatMap(\.usage))
        #expect(usage.map(\.minute) == [0, 1, 2])
        #expect(usage.map(\.totals.calls) == [2, 3, 1])
        #expect(usage[0].totals.bandwidth == 300)
        #expect(inbox.takeAll().isEmpty)
    }

    @Test func `many subjects are handed on in several turns, and calls between them count once`() {
        let inbox = FactInbox()
        let recorder = FactRecorder(inbox: inbox, logsRequests: true)
        let operations = (0..<10_000).map { _ in Thing() }
        let cells = operations.enumerated().map { place, operation in
            recorder.cell(operation: operation, subscription: nil, keyParameter: []) {
                UsageSubject(api: "\(place)", operation: "", product: "", subscription: "", user: "")
            }
        }
        for cell in cells { record(recorder, cell, at: 59) }
        var turns = 1
        while !recorder.handOnSome() {
            // One that has left already or has not, in the next minute.
            record(recorder, cells[turns * 7], at: 60)
            turns += 1
        }
        #expect(turns > 50)
        recorder.handOn()
        let batches = inbox.takeAll()
        #expect(batches.allSatisfy { $0.usage.count <= 5000 && $0.logged.count <= 5000 })
        #expect(batches.reduce(0) { $0 + $1.logged.count } == 10_000 + turns - 1)
        let usage = FactBatch.addedUp(batches.flatMap(\.usage))
        #expect(usage.filter { $0.minute == 0 }.map(\.totals.calls) == Array(repeating: 1, count: 10_000))
        let next = usage.filter { $0.minute == 1 }
        #expect(next.count == turns - 1 && next.allSatisfy { $0.totals.calls == 1 })
    }

    @Test func `statuses are told apart as the reports do`() {
        let inbox = FactInbox()
        let recorder = FactRecorder(inbox: inbox, logsRequests: false)
        let cell = recorder.unmatchedCell
        for status in [200, 301, 304, 307, 401, 403, 429, 400, 500, 599, 302, 404, 418, 0] {
            record(recorder, cell, at: 1, status: status)
        }
        recorder.handOn()
        let totals = inbox.takeAll()[0].usage[0].totals
        #expect([totals.success, totals.blocked, totals.failed, totals.other] == [4, 3, 3, 4])
    }

    @Test func `single calls are a fair part of many, and say for how many they stand`() {
        let inbox = FactInbox()
        let recorder = FactRecorder(inbox: inbox, logsRequests: false)
        for _ in 0..<(FactRecorder.detailsMax * 50) { record(recorder, recorder.unmatchedCell, at: 1) }
        recorder.handOn()
        let batch = inbox.takeAll()[0]
        #expect(batch.details.count == FactRecorder.detailsMax)
        #expect(batch.details.allSatisfy { $0.weight == 50 })
        #expect(batch.seen == FactRecorder.detailsMax * 50)
        #expect(batch.usage[0].totals.calls == Int64(FactRecorder.detailsMax * 50))
    }

    @Test func `single calls of all loops together are thinned out, and stand for the same number`() {
        let inbox = FactInbox()
        for loop in 1...4 {
            let recorder = FactRecorder(inbox: inbox, logsRequests: false)
            for _ in 0..<(FactRecorder.detailsMax * loop) { record(recorder, recorder.unmatchedCell, at: 1) }
            recorder.handOn()
        }
        var batches = inbox.takeAll()
        FactBatch.thinOut(&batches, to: FactRecorder.detailsMax)
        #expect(batches.map(\.details.count) == Array(repeating: FactRecorder.detailsMax / 4, count: 4))
        for (loop, batch) in zip(1...4, batches) {
            #expect(batch.details.allSatisfy { $0.weight == loop * 4 })
            #expect(batch.seen == FactRecorder.detailsMax * loop)
        }
        let before = batches.map(\.details.count)
        FactBatch.thinOut(&batches, to: FactRecorder.detailsMax)
        #expect(batches.map(\.details.count) == before)
    }

    @Test func `a quiet loop's single calls are not passed over beside a busy one's`() {
        var kept = 0
        for _ in 0..<400 {
            let inbox = FactInbox()
            for calls in [FactRecorder.detailsMax * 2 - 1, 1] {
                let recorder = FactRecorder(inbox: inbox, logsRequests: false)
                for _ in 0..<calls { record(recorder, recorder.unmatchedCell, at: 1) }
                recorder.handOn()
            }
            var batches = inbox.takeAll()
            FactBatch.thinOut(&batches, to: 100)
            kept += batches[1].details.count
        }
        // A half of them: 200, and chance takes it beyond these once in ten million runs.
        #expect((147...253).contains(kept))
    }

    @Test func `counts are kept where nobody takes them, in bounded memory`() {
        let inbox = FactInbox()
        let recorder = FactRecorder(inbox: inbox, logsRequests: true)
        let count = FactInbox.batchesMax * 3
        for second in 0..<count {
            record(recorder, recorder.unmatchedCell, at: Int64(second))
            recorder.handOn()
        }
        let batches = inbox.takeAll()
        #expect(batches.count == FactInbox.batchesMax)
        #expect(batches.flatMap(\.usage).reduce(0) { $0 + $1.totals.calls } == Int64(count))
        #expect(batches.map { $0.unlogged + $0.logged.count }.reduce(0, +) == count)
    }

    @Test func `metrics of policies cannot make endless series, nor write into others`() {
        let registry = MetricsRegistry()
        let inbox = FactInbox()
        let recorder = FactRecorder(inbox: inbox, logsRequests: false)
        for number in 0..<(MetricsRegistry.emittedMax + 50) {
            let dimensions = [(name: "client id", value: "a\"\\\n\(number)")]
            recorder.emit(MetricSample(name: "calls", namespace: "my app", value: 2, dimensions: dimensions))
        }
        recorder.handOn()
        for batch in inbox.takeAll() { registry.take(batch) }
        let text = registry.text(gauges: [("process_open_fds", "Open.", 3)])
        #expect(text.contains("emitted_my_app_calls_sum{client_id=\"a\\\"\\\\\\n0\"} 2\n"))
        #expect(text.contains("gatehouse_emitted_metrics_dropped_total 50\n"))
        #expect(text.contains("process_open_fds 3\n"))
    }
}
