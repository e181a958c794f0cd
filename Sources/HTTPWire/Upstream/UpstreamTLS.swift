import NIOCore
import NIOSSL

/// TLS to upstreams: versions 1.2 and 1.3, certificates checked against the system's authorities and those of a file.
package final class UpstreamTLS: Sendable {
    /// What is checked of an upstream's certificate.
    package enum Checks: Sendable, Hashable {
        case full
        /// Who signed it, and not for whom.
        case chain
        case nothing
    }

    /// None on a machine without authorities: then no certificate can be checked, and no https upstream is spoken to.
    private let contexts: [Checks: NIOSSLContext]

    package struct NoAuthorities: Error {}

    /// - Parameter authorities: a file of further certificates (PEM) that upstreams may be signed by.
    /// - Throws: what is wrong with the file.
    package init(authorities: String?) throws {
        var contexts: [Checks: NIOSSLContext] = [:]
        for (checks, verification) in [
            (Checks.full, CertificateVerification.fullVerification), (.chain, .noHostnameVerification),
            (.nothing, .none),
        ] {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.minimumTLSVersion = .tlsv12
            configuration.certificateVerification = verification
            configuration.applicationProtocols = ["http/1.1"]
            if let authorities, checks != .nothing {
                configuration.additionalTrustRoots = [.file(authorities)]
                contexts[checks] = try NIOSSLContext(configuration: configuration)
            } else {
                contexts[checks] = try? NIOSSLContext(configuration: configuration)
            }
        }
        self.contexts = contexts
    }

    /// - Parameter host: whose certificate it must be; addresses are not sent as a name.
    func makeHandler(host: String, _ checks: Checks) throws -> NIOSSLClientHandler {
        guard let context = contexts[checks] else { throw NoAuthorities() }
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
    }
}
