import Foundation
import ResourceModel
import Store

extension ResourceType {
    /// Certificates that the gateway shows to backends, or policies compare with (contracts/api-management.md 1.8).
    package static let certificate = ResourceType(
        path: "certificates",
        properties: [
            .init("subject", .text(0...10_000), isReadOnly: true),
            .init("thumbprint", .text(0...100), isReadOnly: true),
            .init("expirationDate", .text(0...40), isReadOnly: true),
            .init("keyVault", .any),
        ],
        secrets: [
            .init(CertificateRules.data, isKey: false, bytesMax: CertificateRules.dataMax),
            .init(CertificateRules.password, isKey: false, bytesMax: 1024),
        ],
        // 0 thumbprint.
        index: { [$0["thumbprint"]?.string] },
        rules: { draft, context throws(APIError) in try CertificateRules.check(&draft, context) },
        deletionRules: { id, _, store in
            let name = id.name.lowercased()
            for entry in try await store.index(type: "backends")
            where PolicyRules.words(entry.columns[2]).contains(name) {
                throw APIError.validation("id", "The certificate is used by \(entry.id).")
            }
        }
    )
}

package enum CertificateRules {
    package static let data = "data"
    package static let password = "password"
    /// Characters of base64: chains of several certificates have a few KiB.
    static let dataMax = 256 << 10

    static func check(_ draft: inout ResourceDraft, _ context: RuleContext) throws(APIError) {
        if let vault = draft.properties["keyVault"], !vault.isNull {
            throw .validation("keyVault", "There is no key vault on this machine; pass data and password.")
        }
        guard let text = draft.secrets[data] else {
            guard draft.before != nil else { throw .validation("data", "Value cannot be null.") }
            return
        }
        guard let bytes = Data(base64Encoded: text, options: .ignoreUnknownCharacters), !bytes.isEmpty else {
            throw .validation("data", "The value must be base64.")
        }
        // A certificate that takes the place of another has its own password, or none.
        if draft.secrets[password] == nil { draft.secrets[password] = "" }
        let facts: CertificateFacts
        do { facts = try context.readCertificate(Array(bytes), draft.secrets[password] ?? "") } catch {
            throw .validation("data", "The value is no certificate in PKCS #12 or DER, or the password is wrong.")
        }
        draft.properties["subject"] = .string(facts.subject)
        draft.properties["thumbprint"] = .string(facts.thumbprint)
        draft.properties["expirationDate"] = .string(facts.expirationDate)
    }
}
