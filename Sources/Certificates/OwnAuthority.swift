import Crypto
package import Foundation
import SwiftASN1
import X509

/// The installation's own certificate authority, so that https works before anybody has bought a certificate.
package struct OwnAuthority {
    /// Days: browsers ask for no more than 398 of a server.
    private static let serverDays = 397.0
    private static let authorityDays = 3650.0
    /// Days before its end that a certificate is made anew.
    private static let renewalDays = 30.0
    private static let day = 86_400.0
    /// Clocks of clients may be behind.
    private static let leeway = 3600.0

    /// PEM.
    package let certificate: String
    private let parsed: Certificate
    private let key: Certificate.PrivateKey

    /// A certificate with its key, as PEM.
    package struct Pair: Sendable {
        package let certificate: String
        package let key: String

        package init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    /// Whether a text is a key of a certificate.
    package static func isKey(_ text: String) -> Bool { (try? Certificate.PrivateKey(pemEncoded: text)) != nil }

    /// - Throws: where the two are not a certificate and its key.
    package init(_ pair: Pair) throws {
        certificate = pair.certificate
        parsed = try Certificate(pemEncoded: pair.certificate)
        key = try Certificate.PrivateKey(pemEncoded: pair.key)
    }

    /// Makes an authority.
    ///
    /// - Parameter name: what its certificate is called in lists of authorities.
    package static func make(name: String, now: Date) throws -> Pair {
        let key = P256.Signing.PrivateKey()
        let subject = try DistinguishedName {
            CommonName(name)
            OrganizationName("Gatehouse")
        }
        let publicKey = Certificate.PublicKey(key.publicKey)
        let certificate = try Certificate(
            version: .v3,
            serialNumber: Certificate.SerialNumber(),
            publicKey: publicKey,
            notValidBefore: now - leeway,
            notValidAfter: now + authorityDays * day,
            issuer: subject,
            subject: subject,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                SubjectKeyIdentifier(hash: publicKey)
            },
            issuerPrivateKey: Certificate.PrivateKey(key)
        )
        return Pair(certificate: try certificate.serializeAsPEM().pemString, key: key.pemRepresentation)
    }

    /// Makes a server's certificate.
    ///
    /// - Parameter names: host names and IP addresses that it is for.
    package func issue(names: [String], now: Date) throws -> Pair {
        let key = P256.Signing.PrivateKey()
        let publicKey = Certificate.PublicKey(key.publicKey)
        let alternatives = names.map { name -> GeneralName in
            ServedNames.address(name).map { .ipAddress(ASN1OctetString(contentBytes: $0[...])) } ?? .dnsName(name)
        }
        let certificate = try Certificate(
            version: .v3,
            serialNumber: Certificate.SerialNumber(),
            publicKey: publicKey,
            notValidBefore: now - Self.leeway,
            notValidAfter: min(now + Self.serverDays * Self.day, parsed.notValidAfter),
            issuer: parsed.subject,
            subject: try DistinguishedName { CommonName(names.first ?? "gatehouse") },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames(alternatives)
                SubjectKeyIdentifier(hash: publicKey)
                AuthorityKeyIdentifier(keyIdentifier: SubjectKeyIdentifier(hash: parsed.publicKey).keyIdentifier)
            },
            issuerPrivateKey: self.key
        )
        return Pair(certificate: try certificate.serializeAsPEM().pemString, key: key.pemRepresentation)
    }

    /// Whether a server's certificate is one of this authority's and should be made anew: it ends soon, or misses a name.
    package func mustRenew(_ certificate: String, names: [String], now: Date) -> Bool {
        guard let served = try? Certificate(pemEncoded: ServedNames.first(certificate)) else { return true }
        guard served.issuer == parsed.subject else { return false }
        let known = Set((try? ServedNames.read(certificate)) ?? [])
        return served.notValidAfter < now + Self.renewalDays * Self.day || !known.isSuperset(of: names)
    }

    package static func endsSoon(_ certificate: String, now: Date) -> Bool {
        guard let served = try? Certificate(pemEncoded: certificate) else { return true }
        return served.notValidAfter < now + renewalDays * day
    }
}

/// Whom a certificate is for.
package enum ServedNames {
    /// Host names in lower case and IP addresses of the first certificate of a chain.
    ///
    /// - Throws: where there is none.
    package static func read(_ chain: String) throws -> [String] {
        let certificate = try Certificate(pemEncoded: first(chain))
        var names: [String] = []
        for name in try certificate.extensions.subjectAlternativeNames ?? SubjectAlternativeNames() {
            switch name {
            case .dnsName(let text): names.append(text.lowercased())
            case .ipAddress(let bytes): if let text = text(Array(bytes.bytes)) { names.append(text) }
            default: break
            }
        }
        return names
    }

    /// The first certificate of a chain, as PEM.
    fileprivate static func first(_ chain: String) -> String {
        guard let end = chain.range(of: "-----END CERTIFICATE-----") else { return chain }
        return String(chain[..<end.upperBound])
    }

    /// The bytes of an IP address in the form that `inet_ntop` writes.
    static func address(_ text: String) -> [UInt8]? {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: &four) { Array($0) } }
        var six = in6_addr()
        if inet_pton(AF_INET6, text, &six) == 1 { return withUnsafeBytes(of: &six) { Array($0) } }
        return nil
    }

    private static func text(_ bytes: [UInt8]) -> String? {
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        var text = [CChar](repeating: 0, count: 64)
        guard inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
