import ResourceModel

/// A BatchExecutionRequest (contracts/ml-web-services.md 2.2, 2.3) as a job.
struct BatchRequest {
    let definition: ServiceDefinition
    let blobs: BatchBlobs

    /// What the caller sent, judged; outputs without a place of their own are not in it.
    struct Parsed {
        let inputs: [BatchJob.Port]
        let overrides: [BatchJob.Port]
        let parameters: JSONObject
        let skipsBad: Bool
    }

    func parse(_ body: [UInt8]) throws(ServiceError) -> Parsed {
        guard !body.isEmpty else { throw .badArgument("RequestIsEmpty", "The request has no body.") }
        let json: JSONValue
        do throws(JSONError) { json = try JSONValue(parsing: body) } catch { throw ServiceError(json: error) }
        guard case .object(let request) = json else {
            throw .badArgument("RequestBodyInvalid", "The request body is \(json.kind), not an object.")
        }
        return Parsed(
            inputs: try inputs(request),
            overrides: try overrides(request),
            parameters: try parameters(request),
            skipsBad: try skipsBad(request)
        )
    }

    private func object(_ request: JSONObject, _ name: String) throws(ServiceError) -> JSONObject? {
        switch request[name] {
        case nil, .null?: return nil
        case .object(let object)?: return object
        case let other?: throw .badArgument("RequestBodyInvalid", "\"\(name)\" is \(other.kind), not an object.")
        }
    }

    private func inputs(_ request: JSONObject) throws(ServiceError) -> [BatchJob.Port] {
        let names = definition.inputs.map(\.name)
        let single = try object(request, "Input")
        let many = try object(request, "Inputs")
        guard single == nil || many == nil else {
            throw .badArgument(
                "DuplicateInputInBatchCall",
                "The request has both \"Input\" and \"Inputs\"; give one of them."
            )
        }
        var given: [(name: String, value: JSONValue)] = []
        if let single {
            guard let first = names.first else {
                throw .badArgument(
                    "BatchJobInputsTooManySpecified",
                    "The service takes no input, but \"Input\" was given."
                )
            }
            given = [(first, .object(single))]
        } else if let many {
            let unknown = many.names.filter { !names.contains($0) }
            guard unknown.isEmpty else {
                let list = unknown.prefix(20).map { String($0.prefix(64)) }.joined(separator: ", ")
                if names.isEmpty {
                    throw .badArgument(
                        "BatchJobInputsTooManySpecified",
                        "The service takes no input, but \(list) was given."
                    )
                }
                throw .badArgument(
                    "InvalidInputNames",
                    "Invalid service input name(s) specified in the request: \(list). "
                        + "Please map the input data to the correct service inputs and try again."
                )
            }
            given = many.members.filter { !$0.value.isNull }
        }
        let missing = names.filter { name in !given.contains { $0.name == name } }
        guard missing.isEmpty else {
            throw .badArgument(
                "BatchJobInputsNotSpecified",
                "The request does not say where these inputs are: \(missing.joined(separator: ", "))."
            )
        }
        var ports: [BatchJob.Port] = []
        for name in names {
            guard let value = given.first(where: { $0.name == name })?.value else { continue }
            ports.append(BatchJob.Port(name: name, blob: try blobs.blob(value, .input)))
        }
        return ports
    }

    private func overrides(_ request: JSONObject) throws(ServiceError) -> [BatchJob.Port] {
        var ports: [BatchJob.Port] = []
        for (name, value) in try object(request, "Outputs")?.members ?? [] {
            guard definition.outputs.contains(where: { $0.name == name }) else {
                let known = definition.outputs.map { "\"\($0.name)\"" }.joined(separator: ", ")
                throw .badArgument(
                    "InvalidOutputOverrideName",
                    "The service has no output \"\(name.prefix(64))\"; its outputs are \(known), with this case."
                )
            }
            let blob = try blobs.blob(value, .output(name))
            if let place = blob.place, let other = ports.first(where: { $0.blob.place == place }) {
                throw .badArgument(
                    "InvalidBlob",
                    "The outputs \"\(other.name)\" and \"\(name)\" name the same blob \(blob.shown.prefix(1024))."
                )
            }
            ports.append(BatchJob.Port(name: name, blob: blob))
        }
        return ports
    }

    private func parameters(_ request: JSONObject) throws(ServiceError) -> JSONObject {
        let given = try object(request, "GlobalParameters") ?? JSONObject()
        for (name, value) in given.members { _ = try ServiceParameters.value(name, value, definition) }
        try ServiceParameters.checkRequired(given.names, definition)
        return given
    }

    /// `OnError`: `fail` or `skip` (our extension).
    private func skipsBad(_ request: JSONObject) throws(ServiceError) -> Bool {
        switch request["OnError"] {
        case nil, .null?: return false
        case .string(let word)? where word.lowercased() == "fail": return false
        case .string(let word)? where word.lowercased() == "skip": return true
        default: throw .badArgument("BadParameterValue", "\"OnError\" must be \"fail\" or \"skip\".")
        }
    }
}
