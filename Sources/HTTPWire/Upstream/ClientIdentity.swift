import NIOSSL

/// The certificate that is shown to upstreams which ask who calls.
package final class ClientIdentity: Sendable, Equatable {
    /// Made once, off the loops: it reads the system's authorities.
    let context: NIOSSLContext

    init(context: NIOSSLContext) { self.context = context }

    /// Connections of one identity are not used for another, even where both hold the same certificate.
    package static func == (left: ClientIdentity, right: ClientIdentity) -> Bool { left === right }
}

/// A certificate as it is handed in: PKCS #12 with its key, or DER alone.
package struct CertificateFile {
    /// The leaf's DER.
    package let leaf: [UInt8]
    let chain: [NIOSSLCertificate]
    /// nil for a certificate without one, which can be compared with and not be shown.
    let key: NIOSSLPrivateKey?

    package struct NoKey: Error {}

    /// - Throws: what is wrong with the bytes, or with the password.
    package init(_ bytes: [UInt8], password: String) throws {
        if let certificate = try? NIOSSLCertificate(bytes: bytes, format: .der) {
            chain = [certificate]
            key = nil
        } else {
            let bundle = try NIOSSLPKCS12Bundle(buffer: bytes, passphrase: Array(password.utf8))
            chain = bundle.certificateChain
            key = bundle.privateKey
        }
        guard let first = chain.first else { throw NoKey() }
        leaf = try first.toDERBytes()
    }
}
