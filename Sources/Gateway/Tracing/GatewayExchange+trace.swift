import HTTPWire
import Policies
import ResourceModel
import Telemetry

/// How a caller asked for a trace, and so how it is told of it.
enum TraceWish {
    /// `Ocp-Apim-Trace` with a key that may: the answer says where the trace is.
    /// - Parameter location: of traces, without the id.
    case legacy(location: String)
    /// `Apim-Debug-Authorization` with a token that may: the answer names the trace.
    case debug
    /// With a token that is too old, or for another API: there is no trace, and the answer says so.
    case refused(field: String)

    func fields(_ id: String) -> [(name: String, value: String)] {
        switch self {
        case .legacy(let location): [("Ocp-Apim-Trace-Location", location + id)]
        case .debug: [("Apim-Trace-Id", id)]
        case .refused(let field): [(field, "true")]
        }
    }
}

extension CallTrace {
    /// - Parameter secrets: texts that are not shown.
    static func ofGateway(start: UInt64, hiding secrets: Set<String>) -> CallTrace {
        let hidden = TraceSecrets(secrets)
        return CallTrace(
            start: start,
            clock: { (MonotonicClock.wallMilliseconds(), MonotonicClock.nanoseconds()) },
            timestamp: { TimeWords.iso(milliseconds: $0) },
            hide: { hidden.hidden($0) }
        )
    }
}

extension GatewayExchange {
    /// What the gateway found out before the first policy.
    func beginTrace(_ trace: CallTrace, _ setup: PolicySetup) {
        let source = setup.source
        trace.add(
            "inbound",
            "api-inspector",
            [
                "request": [
                    "method": .string(source.method),
                    "url": .string(
                        "\(source.scheme)://\(source.host):\(source.port)"
                            + Redactor.address(source.query.isEmpty ? source.path : "\(source.path)?\(source.query)") {
                                name in setup.api.map { name.utf8.elementsEqual($0.keyQuery) } ?? false
                            }
                    ),
                    "headers": .array(
                        source.allFields.map { field in
                            let isKey = setup.api?.keyHeaderName.lowercased() == field.name.lowercased()
                            return [
                                "name": .string(field.name), "value": .string(isKey ? Redactor.mark : field.value),
                            ]
                        }
                    ),
                ]
            ]
        )
        let facts = setup.facts
        let operation = facts.operation.map { operation -> JSONValue in
            [
                "id": .string(operation.id), "method": .string(operation.method),
                "uriTemplate": .string(operation.urlTemplate),
            ]
        }
        trace.add(
            "inbound",
            "mapper",
            [
                "configuration": [
                    "api": ["id": .string(facts.api.id), "revision": .string(facts.api.revision)],
                    "operation": operation ?? .null,
                    "product": JSONValue(facts.product?.id), "subscription": JSONValue(facts.subscription?.id),
                    "user": JSONValue(facts.user?.id),
                ]
            ]
        )
    }

    func endTrace(_ trace: CallTrace, _ id: String, _ policies: PolicyRun) {
        guard case .refused? = policies.setup.trace else {
            let section = policies.call.currentSection
            trace.add(
                section == "on-error" ? section : "outbound",
                "transfer-response",
                [
                    "message": "Response has been sent to the caller.",
                    "status": .int(policies.call.response?.status ?? 500),
                ]
            )
            let document: JSONValue = [
                "serviceName": .string(surroundings.serviceName()), "traceId": .string(id),
                "traceEntries": TraceSecrets(
                    policies.call.program.secrets.union(policies.backend?.credentials.texts ?? [])
                )
                .hidden(trace.document),
            ]
            return surroundings.traces.insert(id, document, now: MonotonicClock.wallMilliseconds() / 1000)
        }
    }
}
