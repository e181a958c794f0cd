import BlobClient
import Foundation
import ResourceModel

/// References that let others read a blob for a time.
extension BlobReferences {
    /// The parts of an address that lets anybody read a blob for a time (contracts/ml-web-services.md 2.5).
    ///
    /// - Parameters:
    ///   - start: seconds since 1970.
    ///   - end: seconds since 1970.
    /// - Returns: parts that make the address when they are joined; the signature is the caller's own where the blob was named by one.
    package func readable(
        _ target: Target,
        from start: Double,
        until end: Double
    ) -> (base: String, relative: String, signature: String) {
        switch target.kind {
        case .own(let place):
            let relative = "\(BlobLocation.encoded(place.container))/\(BlobLocation.encoded(place.name))"
            let key = accounts.account(place.account)?.keys.first ?? []
            let signature = Self.signature(
                account: place.account,
                key: key,
                path: "/\(place.container)/\(place.name)",
                start,
                end
            )
            return ("\(address())/\(place.account)/", relative, signature)
        case .remote(let location, let base, let relative, let isSigned):
            switch location.credential {
            case .signature(let signature): return (base, relative, isSigned ? "?" + signature : "")
            case .key(let account, let key):
                let path = PercentEncoding.decoded(relative) ?? relative
                return (base, relative, Self.signature(account: account, key: key, path: "/" + path, start, end))
            case .none: return (base, relative, "")
            }
        }
    }

    private static let signatureVersion = "2021-12-02"

    private static func signature(
        account: String,
        key: [UInt8],
        path: String,
        _ start: Double,
        _ end: Double
    ) -> String {
        let fields = [
            ("sv", signatureVersion), ("sr", "b"), ("st", BlobTime.iso(start)), ("se", BlobTime.iso(end)), ("sp", "r"),
        ]
        let text = SharedAccess.serviceStringToSign(
            Dictionary(uniqueKeysWithValues: fields),
            account: account,
            path: path,
            snapshot: ""
        )
        let signed = fields + [("sig", SharedKey.signature(text, key: key))]
        return "?" + signed.map { "\($0)=\(RemoteBlobs.encoded($1))" }.joined(separator: "&")
    }
}
