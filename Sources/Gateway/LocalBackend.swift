package import HTTPWire
package import NIOCore

/// The web services of this installation as the gateway sees them: a request in, an answer out, without a hop.
///
/// One instance an event loop, called on it only.
package protocol LocalBackend: AnyObject {
    /// The longest body that a service takes.
    var bodyBytesMax: Int { get }

    /// Judges a request by its head, before its body is kept.
    func judge(_ target: ByteBuffer, _ connection: DownstreamConnection) -> LocalJudgement

    /// Answers a request as the services door would.
    ///
    /// - Parameters:
    ///   - target: path and query below the service's address.
    ///   - completion: is called once, on the loop, perhaps before this returns.
    /// - Returns: what ends the work when the caller has gone.
    func respond(
        to target: ByteBuffer,
        _ connection: DownstreamConnection,
        body: ByteBuffer,
        completion: @escaping (WholeAnswer) -> Void
    ) -> (any LocalCall)?
}

/// What a local service makes of a request whose body is still to come.
package enum LocalJudgement {
    /// No body can make it right: this is its answer.
    case answered(WholeAnswer)
    case wantsBody(bytesMax: Int, isAnonymous: Bool)
}

/// Work of a local service that goes on after `respond` returned.
package protocol LocalCall: AnyObject {
    func cancel()
}
