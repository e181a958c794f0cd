import NIOCore
import NIOSSL
import NIOTLS
import Synchronization

/// TLS of a door: versions 1.2 and 1.3, a certificate for each name that clients ask for, changed while the door is open.
package final class DownstreamTLS: Sendable {
    /// A certificate with its key, as PEM.
    package struct Identity: Sendable, Equatable {
        /// Names and addresses that it is for, in lower case; `*.` stands for one label.
        package let names: [String]
        /// The certificate first, then those that signed it.
        package let chain: [UInt8]
        package let key: [UInt8]

        package init(names: [String], chain: [UInt8], key: [UInt8]) {
            self.names = names
            self.chain = chain
            self.key = key
        }
    }

    private struct Loaded: Sendable {
        let context: NIOSSLContext
        let override: NIOSSLContextConfigurationOverride
    }

    private struct Current: Sendable {
        /// For clients that name nobody, or somebody unknown.
        var fallback: Loaded?
        var byName: [String: Loaded] = [:]
    }

    private let current = Mutex(Current())

    package init() {}

    /// Takes identities for all handshakes from now on; those before go on as they are.
    ///
    /// - Parameter identities: the first one is for clients that name nobody.
    /// - Throws: why one of them cannot be used; then nothing has changed.
    package func load(_ identities: [Identity]) throws {
        var next = Current()
        for identity in identities {
            let chain = try NIOSSLCertificate.fromPEMBytes(identity.chain).map {
                NIOSSLCertificateSource.certificate($0)
            }
            let key = NIOSSLPrivateKeySource.privateKey(try NIOSSLPrivateKey(bytes: identity.key, format: .pem))
            var configuration = TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: key)
            configuration.minimumTLSVersion = .tlsv12
            configuration.applicationProtocols = ["http/1.1"]
            configuration.sslContextCallback = { [weak self] values, promise in
                // A name that nobody has is answered with the first certificate: the client judges it.
                let found = values.serverHostname.flatMap { self?.find($0) }
                promise.succeed(found?.override ?? .noChanges)
            }
            var override = NIOSSLContextConfigurationOverride()
            override.certificateChain = chain
            override.privateKey = key
            let loaded = Loaded(context: try NIOSSLContext(configuration: configuration), override: override)
            next.fallback = next.fallback ?? loaded
            for name in identity.names where next.byName[name] == nil { next.byName[name] = loaded }
        }
        let ready = next
        current.withLock { $0 = ready }
    }

    private func find(_ host: String) -> Loaded? {
        let name = host.lowercased()
        return current.withLock { current in
            if let exact = current.byName[name] { return exact }
            guard let dot = name.firstIndex(of: ".") else { return nil }
            return current.byName["*" + name[dot...]]
        }
    }

    package struct NoIdentity: Error {}

    /// Adds what a new connection needs before HTTP.
    ///
    /// - Parameter timeout: for the handshake.
    func addHandlers(to channel: any Channel, timeout: TimeAmount) throws {
        guard let context = current.withLock({ $0.fallback?.context }) else { throw NoIdentity() }
        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
        try channel.pipeline.syncOperations.addHandler(HandshakeTimeout(timeout))
    }
}

/// Closes a connection whose handshake takes too long.
private final class HandshakeTimeout: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let timeout: TimeAmount
    private var deadline: Scheduled<Void>?

    init(_ timeout: TimeAmount) { self.timeout = timeout }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is TLSUserEvent { deadline?.cancel() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }
}
