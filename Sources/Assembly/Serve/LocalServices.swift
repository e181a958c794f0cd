import Gateway
import HTTPWire
import NIOCore
import WebServices

/// Gives the gateway the web services of this process.
final class LocalServices: LocalBackend {
    private let calls: ServiceCalls

    init(calls: ServiceCalls) { self.calls = calls }

    var bodyBytesMax: Int { calls.limits.bodyBytesMax }

    func judge(_ target: ByteBuffer, _ connection: DownstreamConnection) -> LocalJudgement {
        switch calls.judge(target, connection) {
        case .answered(let answer): .answered(answer)
        case .wantsBody(let bytesMax, let isAnonymous): .wantsBody(bytesMax: bytesMax, isAnonymous: isAnonymous)
        }
    }

    func respond(
        to target: ByteBuffer,
        _ connection: DownstreamConnection,
        body: ByteBuffer,
        completion: @escaping (WholeAnswer) -> Void
    ) -> (any LocalCall)? {
        calls.respond(to: target, connection, body: body, completion: completion).map(RunningLocalCall.init)
    }
}

private final class RunningLocalCall: LocalCall {
    private let call: WorkerCall
    init(_ call: WorkerCall) { self.call = call }
    func cancel() { call.cancel() }
}
