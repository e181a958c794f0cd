import Blobs
import Foundation
import ResourceModel
import Store

/// A BatchExecutionStatus (contracts/ml-web-services.md 2.5), and our own members beside it.
struct BatchStatus {
    /// How long a result's address can be read: as recorded, from five minutes ago for a day.
    private static let validBefore = 300.0
    private static let validSeconds = 86_400.0

    let item: WorkItem
    let progress: JobProgress?
    let blobs: BatchBlobs

    func document(now: Double) -> JSONValue {
        let job = BatchJob(json: item.payload)
        var document: JSONObject = [
            "StatusCode": .string(Self.code(item.state)),
            "Results": item.state == .finished ? results(job, now) : .null,
            "Details": item.state == .failed ? .string(item.error ?? "The job failed.") : .null,
            "State": .string(Self.detailedState(item.state)),
            "CreateTime": .string(Self.time(item.createdAt)),
            "StartTime": item.startedAt.map { .string(Self.time($0)) } ?? .null,
            "EndTime": item.endedAt.map { .string(Self.time($0)) } ?? .null,
        ]
        // Between its claim and its first row a job has no numbers of its own.
        let kept = item.report.isNull && item.state == .running ? JobProgress().report : item.report
        let report = item.state == .running ? progress?.report ?? kept : kept
        document["Progress"] = report
        if item.state == .finished, let skipped = report["RowsSkipped"]?.int, skipped > 0,
            let first = job.outputs.first,
            let target = try? blobs.target(first.blob)
        {
            document["Errors"] = reference(target.sibling(suffix: BatchOutputs.errorsSuffix), now)
        }
        return .object(document)
    }

    private func results(_ job: BatchJob, _ now: Double) -> JSONValue {
        .object(
            JSONObject(
                job.outputs.map { port in
                    guard let target = try? blobs.target(port.blob) else { return (port.name, .null) }
                    return (port.name, reference(target, now))
                }
            )
        )
    }

    private func reference(_ target: BlobReferences.Target, _ now: Double) -> JSONValue {
        let parts = blobs.references.readable(target, from: now - Self.validBefore, until: now + Self.validSeconds)
        return [
            "ConnectionString": .null, "RelativeLocation": .string(parts.relative),
            "BaseLocation": .string(parts.base), "SasBlobToken": .string(parts.signature),
        ]
    }

    /// The service's names; a job in the queue is not started yet for it.
    private static func code(_ state: WorkState) -> String {
        switch state {
        case .created, .queued: "NotStarted"
        case .running: "Running"
        case .finished: "Finished"
        case .failed: "Failed"
        case .cancelled: "Cancelled"
        }
    }

    /// The state with the difference between a job that waits for its start and one that waits for its turn.
    static func detailedState(_ state: WorkState) -> String { state == .created ? "NotStarted" : state.rawValue }

    private static func time(_ seconds: Double) -> String {
        Date(timeIntervalSince1970: seconds).formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}
