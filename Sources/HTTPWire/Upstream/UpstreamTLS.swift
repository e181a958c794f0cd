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
    private let authorities: String?

    package struct NoAuthorities: Error {}

    /// - Parameter authorities: a file of further certificates (PEM) that upstreams may be signed by.
    /// - Throws: what is wrong with the file.
    package init(authorities: String?) throws {
        self.authorities = authorities
        var contexts: [Checks: NIOSSLContext] = [:]
        for checks in [Checks.full, .chain, .nothing] {
            let configuration = UpstreamTLS.configuration(checks, authorities)
            if authorities != nil, checks != .nothing {
                contexts[checks] = try NIOSSLContext(configuration: configuration)
            } else {
                contexts[checks] = try? NIOSSLContext(configuration: configuration)
            }
        }
        self.contexts = contexts
    }

    private static func configuration(_ checks: Checks, _ authorities: String?) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification =
            switch checks {
            case .full: .fullVerification
            case .chain: .noHostnameVerification
            case .nothing: .none
            }
        configuration.applicationProtocols = ["http/1.1"]
        if let authorities, checks != .nothing { configuration.additionalTrustRoots = [.file(authorities)] }
        return configuration
    }

    /// What connections show that are to have this certificate; takes as long as reading the system's authorities.
    ///
    /// - Throws: `CertificateFile.NoKey`, or what is wrong with the key.
    package func identity(_ file: CertificateFile, _ checks: Checks) throws -> ClientIdentity {
        guard let key = file.key else { throw CertificateFile.NoKey() }
        var configuration = UpstreamTLS.configuration(checks, authorities)
        configuration.certificateChain = file.chain.map { .certificate($0) }
        configuration.privateKey = .privateKey(key)
        return ClientIdentity(context: try NIOSSLContext(configuration: configuration))
    }

    /// - Parameter address: whose host's certificate it must be; addresses in digits are not sent as a name.
    func makeHandler(_ address: UpstreamAddress) throws -> NIOSSLClientHandler {
        guard let context = address.identity?.context ?? contexts[address.checks] else { throw NoAuthorities() }
        let host = address.host
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
    }
}
