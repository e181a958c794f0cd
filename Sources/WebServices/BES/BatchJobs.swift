import Blobs
import Foundation
package import ResourceModel
package import Store

/// The batch jobs of all endpoints: submitted, started, watched and cancelled (contracts/ml-web-services.md section 2).
package struct BatchJobs: Sendable {
    let queue: any WorkQueue
    let blobs: BatchBlobs
    let registry: ServiceRegistry
    let board: JobBoard
    let limits: BatchLimits
    /// Wakes the worker.
    private let wake: @Sendable () -> Void

    package init(
        queue: any WorkQueue,
        blobs: BatchBlobs,
        registry: ServiceRegistry,
        board: JobBoard,
        limits: BatchLimits,
        wake: @Sendable @escaping () -> Void
    ) {
        self.queue = queue
        self.blobs = blobs
        self.registry = registry
        self.board = board
        self.limits = limits
        self.wake = wake
    }

    private var now: Double { Date().timeIntervalSince1970 }

    /// Accepts a job; it is not started.
    ///
    /// - Returns: the job's id.
    func submit(_ endpoint: ScoringEndpoint, _ body: [UInt8]) async throws -> String {
        guard body.count <= BatchLimits.requestBytesMax else {
            throw ServiceError.memory("The request is longer than \(BatchLimits.requestBytesMax) bytes.")
        }
        let definition = endpoint.definition
        let parsed = try BatchRequest(definition: definition, blobs: blobs).parse(body)
        let id = Identifier.hex32()
        var outputs: [BatchJob.Port] = []
        for output in definition.outputs {
            if let override = parsed.overrides.first(where: { $0.name == output.name }) {
                outputs.append(override)
            } else {
                let blob = try await blobs.result(of: id, workspace: definition.workspace)
                outputs.append(BatchJob.Port(name: output.name, blob: blob))
            }
        }
        let job = BatchJob(
            inputs: parsed.inputs,
            outputs: outputs,
            parameters: parsed.parameters,
            skipsBad: parsed.skipsBad
        )
        var item = WorkItem(
            id: id,
            kind: BatchJob.kind,
            subject: endpoint.id,
            payload: job.json,
            createdAt: now
        )
        item.state = .created
        do { try await queue.enqueue(item, keeping: nil, waitingMax: limits.waitingMax) } catch StoreError.overloaded {
            throw ServiceError.noMoreResources("\(limits.waitingMax) jobs are waiting already; try again later.")
        }
        return id
    }

    /// Puts a job at the end of the queue; one whose input is not there stays as it is.
    func start(_ endpoint: ScoringEndpoint, _ id: String) async throws {
        let item = try await item(endpoint, id)
        guard item.state == .created else { throw Self.cannotStart(item.state) }
        let job = BatchJob(json: item.payload)
        for port in job.inputs {
            do { try await blobs.references.checkReadable(try blobs.target(port.blob)) } catch let error as APIError {
                throw ServiceError.badArgument(
                    "BlobNotFound",
                    "The blob \(port.blob.shown) of the input \"\(port.name)\" cannot be read: \(error.message)"
                )
            }
        }
        for port in job.outputs where port.blob.place?.container != BatchBlobs.container {
            do { try await blobs.references.checkWritable(try blobs.target(port.blob)) } catch let error as APIError {
                throw ServiceError.badArgument(
                    "ContainerValidationFailed",
                    "The blob \(port.blob.shown) of the output \"\(port.name)\" cannot be written: \(error.message)"
                )
            }
        }
        let before = try await queue.start(id)
        guard before == .created else { throw Self.cannotStart(before ?? .cancelled) }
        wake()
    }

    private static func cannotStart(_ state: WorkState) -> ServiceError {
        .invalidOperation(
            "CannotStartJob",
            "The job cannot be started, since its state is \(BatchStatus.detailedState(state))."
        )
    }

    func status(_ endpoint: ScoringEndpoint, _ id: String) async throws -> JSONValue {
        status(of: try await item(endpoint, id))
    }

    private func status(of item: WorkItem) -> JSONValue {
        BatchStatus(item: item, progress: board.progress(item.id), blobs: blobs).document(now: now)
    }

    /// Ends a job that has not ended; one that has stays as it is, and so do its results.
    func cancel(_ endpoint: ScoringEndpoint, _ id: String) async throws {
        try await cancel(try await item(endpoint, id))
    }

    private func cancel(_ item: WorkItem) async throws {
        // The claim is void with this, so that nothing of the job can appear any more.
        _ = try await queue.abort(item.id, at: now)
        board.progress(item.id)?.stop()
        wake()
    }

    private func item(_ endpoint: ScoringEndpoint, _ id: String) async throws -> WorkItem {
        guard Identifier.isHex32(id), let item = try await queue.get(id), item.kind == BatchJob.kind,
            item.subject == endpoint.id
        else { throw ServiceError.notFound("JobNotFound", "The job \(id.prefix(64)) was not found.") }
        return item
    }

    // MARK: - Over all endpoints

    /// A page of jobs, newest first.
    ///
    /// - Parameter before: the id of the last job of the page before.
    package func list(
        endpoint: String?,
        state: String?,
        before: String?,
        limit: Int
    ) async throws -> [JSONValue] {
        var query = WorkQuery(kind: BatchJob.kind, subject: endpoint, limit: limit)
        query.before = before
        if let state {
            guard let known = WorkState.allCases.first(where: { $0.rawValue.lowercased() == state.lowercased() }) else {
                throw APIError.validation(
                    "state",
                    "The state must be one of \(WorkState.allCases.map(\.rawValue).joined(separator: ", "))."
                )
            }
            query.state = known
        }
        return try await queue.list(query).map(entry)
    }

    /// A job by its id alone, for those who manage the workspace.
    package func get(_ id: String) async throws -> JSONValue { entry(try await item(id)) }

    /// A job's status with what tells it from those of other endpoints.
    private func entry(_ item: WorkItem) -> JSONValue {
        var document: JSONObject = ["JobId": .string(item.id), "EndpointId": .string(item.subject)]
        if let known = registry.endpoint(item.subject) {
            document["ServiceName"] = .string(known.definition.name)
            document["EndpointName"] = .string(known.name)
        }
        for member in status(of: item).object?.members ?? [] { document[member.name] = member.value }
        return .object(document)
    }

    package func cancel(_ id: String) async throws { try await cancel(try await item(id)) }

    private func item(_ id: String) async throws -> WorkItem {
        guard Identifier.isHex32(id), let item = try await queue.get(id), item.kind == BatchJob.kind else {
            throw APIError.notFound("The job \(id.prefix(64)) was not found.")
        }
        return item
    }
}
