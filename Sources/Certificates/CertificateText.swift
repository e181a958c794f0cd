import Crypto
package import Foundation
import SwiftASN1
import X509

/// What a certificate says of itself.
package struct CertificateText {
    /// The distinguished name.
    package let subject: String
    /// SHA-1 of the DER in upper-case hexadecimal, as Windows shows it.
    package let thumbprint: String
    package let end: Date

    /// - Parameter der: the certificate's DER.
    package static func read(_ der: [UInt8]) throws -> CertificateText {
        let certificate = try Certificate(derEncoded: der)
        let digest = Insecure.SHA1.hash(data: Data(der))
        let digits = digest.map { byte in byte < 16 ? "0" + String(byte, radix: 16) : String(byte, radix: 16) }
        return CertificateText(
            subject: certificate.subject.description,
            thumbprint: digits.joined().uppercased(),
            end: certificate.notValidAfter
        )
    }
}
