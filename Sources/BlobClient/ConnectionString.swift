import Foundation
package import ResourceModel

/// The storage emulator's account, whose key is public (contracts/blob-storage.md).
package enum DevelopmentAccount {
    package static let name = "devstoreaccount1"
    package static let key =
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
}

/// A connection string: which account, where it is, and what opens it.
package struct ConnectionString: Sendable, Equatable {
    package let account: String
    /// The account's key, decoded; nil where a shared access signature stands for it.
    package let key: [UInt8]?
    /// A shared access signature without its question mark.
    package let signature: String?
    /// Where the account's containers are, without a closing slash.
    package let endpoint: String

    package init(account: String, key: [UInt8]?, signature: String?, endpoint: String) {
        self.account = account
        self.key = key
        self.signature = signature
        self.endpoint = endpoint.hasSuffix("/") ? String(endpoint.dropLast()) : endpoint
    }

    /// Reads `Key=Value;…`; unknown keys are ignored.
    ///
    /// - Throws: `APIError` 400 that names the key and the rule, and never the value of a secret.
    package init(_ text: String) throws(APIError) {
        var words: [String: String] = [:]
        for item in text.split(separator: ";") where !item.allSatisfy(\.isWhitespace) {
            guard let sign = item.firstIndex(of: "=") else {
                throw .validation("connectionString", "Each item of a connection string must be Key=Value.")
            }
            words[item[..<sign].trimmingCharacters(in: .whitespaces).lowercased()] =
                item[item.index(after: sign)...].trimmingCharacters(in: .whitespaces)
        }
        if words["usedevelopmentstorage"]?.lowercased() == "true" {
            self.init(
                account: DevelopmentAccount.name,
                key: Array(Data(base64Encoded: DevelopmentAccount.key) ?? Data()),
                signature: nil,
                endpoint: "http://127.0.0.1:10000/\(DevelopmentAccount.name)"
            )
            return
        }
        let signature = words["sharedaccesssignature"].map { $0.hasPrefix("?") ? String($0.dropFirst()) : $0 }
        let account = words["accountname"] ?? ""
        guard !account.isEmpty || (signature != nil && words["blobendpoint"] != nil) else {
            throw .validation("AccountName", "The connection string needs an AccountName.")
        }
        var key: [UInt8]?
        if let word = words["accountkey"] {
            guard let data = Data(base64Encoded: word), !data.isEmpty else {
                throw .validation("AccountKey", "The AccountKey of the connection string is not base64.")
            }
            key = Array(data)
        }
        guard key != nil || signature != nil else {
            throw .validation("AccountKey", "The connection string needs an AccountKey or a SharedAccessSignature.")
        }
        let scheme = words["defaultendpointsprotocol"] ?? "https"
        guard ["http", "https"].contains(scheme) else {
            throw .validation("DefaultEndpointsProtocol", "DefaultEndpointsProtocol must be http or https.")
        }
        let suffix = words["endpointsuffix"] ?? "core.windows.net"
        let endpoint = words["blobendpoint"] ?? "\(scheme)://\(account).blob.\(suffix)"
        guard let url = URL(string: endpoint), url.host != nil, ["http", "https"].contains(url.scheme) else {
            throw .validation("BlobEndpoint", "The BlobEndpoint must be an http or https address.")
        }
        self.init(account: account, key: key, signature: signature, endpoint: endpoint)
    }
}
