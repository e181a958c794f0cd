import Expressions
package import ResourceModel

/// What one call did, step by step, for whoever may see it (contracts/api-management.md 2.4); used on the call's loop.
package final class CallTrace {
    /// Entries of one trace: a program that loops must not fill the memory.
    private static let entriesMax = 2000
    /// Characters of one value: bodies and tokens are cut.
    private static let valueMax = 4096

    private let start: UInt64
    private let clock: () -> (milliseconds: Int64, nanoseconds: UInt64)
    private let timestamp: (Int64) -> String
    /// Takes secrets out of a text, before it is cut: half a secret would not be known for one.
    private let hide: (String) -> String
    private var entries: [(section: String, entry: JSONValue)] = []
    private var isCut = false

    /// - Parameters:
    ///   - clock: milliseconds since 1970, and nanoseconds of a clock that only goes on.
    ///   - timestamp: writes the first as text.
    ///   - hide: takes secrets out of a value.
    package init(
        start: UInt64,
        clock: @escaping () -> (milliseconds: Int64, nanoseconds: UInt64),
        timestamp: @escaping (Int64) -> String,
        hide: @escaping (String) -> String = { $0 }
    ) {
        self.start = start
        self.clock = clock
        self.timestamp = timestamp
        self.hide = hide
    }

    /// - Parameters:
    ///   - section: `inbound`, `backend`, `outbound` or `on-error`.
    ///   - source: a policy's name, or the part of the gateway that speaks.
    package func add(_ section: String, _ source: String, _ data: JSONValue) {
        guard entries.count < CallTrace.entriesMax else {
            isCut = true
            return
        }
        let now = clock()
        let entry: JSONValue = [
            "source": .string(source), "timestamp": .string(timestamp(now.milliseconds)),
            "elapsed": .string(CallTrace.span(now.nanoseconds &- start)), "data": data,
        ]
        entries.append((section, entry))
    }

    /// `traceEntries`, by section in the order in which they ran.
    package var document: JSONValue {
        var sections = JSONObject()
        for name in PolicySection.allCases.map(\.rawValue) {
            let found = entries.filter { $0.section == name }.map(\.entry)
            if !found.isEmpty || name != PolicySection.onError.rawValue { sections[name] = .array(found) }
        }
        if isCut { sections["cut"] = .string("The trace ends after \(CallTrace.entriesMax) entries.") }
        return .object(sections)
    }

    /// As .NET writes a time span, to a ten-millionth of a second.
    private static func span(_ nanoseconds: UInt64) -> String {
        func padded(_ value: UInt64, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let seconds = nanoseconds / 1_000_000_000
        let clock = [seconds / 3600, seconds / 60 % 60, seconds % 60].map { padded($0, 2) }.joined(separator: ":")
        return "\(clock).\(padded(nanoseconds % 1_000_000_000 / 100, 7))"
    }

    /// A text as the trace shows it: without secrets, and not longer than it may be.
    func shown(_ text: String) -> JSONValue {
        let text = hide(text)
        guard text.utf8.count > CallTrace.valueMax else { return .string(text) }
        return .string(String(text.prefix(CallTrace.valueMax)) + "…")
    }
}

/// What of a call a step may change; two of them tell what it did.
struct TracePoint {
    private let request: [String: String]
    private let response: [String: String]
    private let variables: [String: String]
    private let fields: [String: String]

    init(_ call: PolicyCall) {
        var request: [String: String] = [:]
        request["method"] = call.request.method
        request["path"] = call.request.path
        request["query"] = call.request.query
        request["backendUrl"] = call.request.backendURL
        request["backendId"] = call.request.backendID
        if case .replaced(let bytes) = call.request.body { request["body"] = String(decoding: bytes, as: UTF8.self) }
        for edit in call.request.headers.edits { request["header \(edit.name.text)"] = TracePoint.text(edit.values) }
        self.request = request
        var response: [String: String] = [:]
        if let answer = call.response {
            response["status"] = String(answer.status)
            response["reason"] = answer.reason
            if case .bytes(let bytes) = answer.body { response["body"] = String(decoding: bytes, as: UTF8.self) }
            for edit in answer.headers.edits { response["header \(edit.name.text)"] = TracePoint.text(edit.values) }
        }
        self.response = response
        variables = call.variables.mapValues(\.text)
        fields = Dictionary(
            call.answerFields.edits.map { ($0.name.text, TracePoint.text($0.values)) },
            uniquingKeysWith: { $1 }
        )
    }

    private static func text(_ values: [String]) -> String {
        values.isEmpty ? "(removed)" : values.joined(separator: ",")
    }

    /// What is otherwise than it was.
    ///
    /// - Parameter trace: says how values are shown.
    func changes(since before: TracePoint, in trace: CallTrace?) -> JSONObject {
        var data = JSONObject()
        for (name, now, then) in [
            ("request", request, before.request), ("response", response, before.response),
            ("variables", variables, before.variables), ("answerFields", fields, before.fields),
        ] {
            var changed = JSONObject()
            for (key, value) in now.sorted(by: { $0.key < $1.key }) where then[key] != value {
                changed[key] = trace?.shown(value)
            }
            if !changed.isEmpty { data[name] = .object(changed) }
        }
        return data
    }
}
