import NIOCore
import NIOSSL

/// TLS to upstreams: versions 1.2 and 1.3, certificates checked against the system's authorities and those of a file.
package final class UpstreamTLS: Sendable {
    /// nil on a machine without authorities: then no certificate can be checked, and no https upstream is spoken to.
    private let context: NIOSSLContext?

    package struct NoAuthorities: Error {}

    /// - Parameter authorities: a file of further certificates (PEM) that upstreams may be signed by.
    /// - Throws: what is wrong with the file.
    package init(authorities: String?) throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification = .fullVerification
        configuration.applicationProtocols = ["http/1.1"]
        guard let authorities else {
            context = try? NIOSSLContext(configuration: configuration)
            return
        }
        configuration.additionalTrustRoots = [.file(authorities)]
        context = try NIOSSLContext(configuration: configuration)
    }

    /// - Parameter host: whose certificate it must be; addresses are not sent as a name.
    func makeHandler(host: String) throws -> NIOSSLClientHandler {
        guard let context else { throw NoAuthorities() }
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
    }
}
