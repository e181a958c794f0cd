import BlobClient
import Foundation
import ResourceModel
import Store

/// Who calls, and what that lets them do.
enum BlobCaller: Sendable {
    /// Holds the account's key.
    case owner
    /// Holds a signature that was judged for this request.
    case signature([String: String])
    /// Nobody: public containers only.
    case anonymous
}

/// Judges the signatures of requests (contracts/blob-storage.md, Authorization).
struct BlobAuthorizer: Sendable {
    /// How far a request's date may be from ours.
    private static let skewMax = 15.0 * 60
    private static let oldestVersion = "2012-02-12"

    let accounts: StorageAccounts
    let store: BlobStore

    /// What a request needs to be allowed: one letter of these, on that kind of resource.
    struct Need: Sendable {
        /// `s`, `c` or `o`.
        let resource: Character
        let letters: String

        static func service(_ letters: String) -> Need { Need(resource: "s", letters: letters) }
        static func container(_ letters: String) -> Need { Need(resource: "c", letters: letters) }
        static func object(_ letters: String) -> Need { Need(resource: "o", letters: letters) }
    }

    func authorize(_ request: BlobRequest, _ need: Need) async throws(BlobError) -> BlobCaller {
        guard let account = accounts.account(request.account) else { throw .resourceNotFound }
        // Its key is known to everybody: only this machine may use it.
        if account.isDevelopment, !Self.isLoopback(request.clientAddress) { throw .authenticationFailed }
        if let authorization = request.header("authorization") {
            try checkKey(request, account, authorization)
            return .owner
        }
        if request.query.contains(where: { $0.name == "sig" }) {
            return .signature(try await checkSignature(request, account, need))
        }
        try await checkPublic(request, need)
        return .anonymous
    }

    private static func isLoopback(_ address: String) -> Bool {
        address.hasPrefix("127.") || address == "::1" || address.hasPrefix("::ffff:127.")
    }

    // MARK: - Keys

    private func checkKey(
        _ request: BlobRequest,
        _ account: StorageAccounts.Account,
        _ authorization: String
    ) throws(BlobError) {
        let parts = authorization.split(separator: " ", maxSplits: 1).map(String.init)
        guard parts.count == 2, let colon = parts[1].lastIndex(of: ":") else { throw .authenticationFailed }
        let name = String(parts[1][..<colon])
        let given = String(parts[1][parts[1].index(after: colon)...])
        guard name == account.name, request.version >= Self.oldestVersion else { throw .authenticationFailed }
        let text: String
        switch parts[0].lowercased() {
        case "sharedkey": text = SharedKey.stringToSign(request.signable, account: name)
        case "sharedkeylite": text = SharedKey.liteStringToSign(request.signable, account: name)
        default: throw .authenticationFailed
        }
        guard let stated = request.header("x-ms-date") ?? request.header("date"),
            let date = BlobTime.parse(http: stated),
            abs(date - store.now) <= Self.skewMax
        else { throw .authenticationFailed }
        try Self.check(given, text, account)
    }

    /// Compares with the signatures of all keys, in a time that tells nothing.
    private static func check(_ given: String, _ text: String, _ account: StorageAccounts.Account) throws(BlobError) {
        var isKnown = false
        for key in account.keys
        where ConstantTime.equal(Array(SharedKey.signature(text, key: key).utf8), Array(given.utf8)) {
            isKnown = true
        }
        guard isKnown else { throw .authenticationFailed }
    }

    // MARK: - Shared access signatures

    private func checkSignature(
        _ request: BlobRequest,
        _ account: StorageAccounts.Account,
        _ need: Need
    ) async throws(BlobError) -> [String: String] {
        var fields: [String: String] = [:]
        for (name, value) in request.query where fields[name] == nil { fields[name] = value }
        guard let version = fields["sv"], version >= "2013-08-15", let given = fields["sig"] else {
            throw .authenticationFailed
        }
        if fields["ss"] != nil {
            let text = SharedAccess.accountStringToSign(fields, account: account.name)
            try Self.check(given, text, account)
            guard fields["ss"]?.contains("b") == true, fields["srt"]?.contains(need.resource) == true else {
                throw BlobError(
                    403,
                    "AuthorizationResourceTypeMismatch",
                    "This request is not authorized to perform this operation using this resource type."
                )
            }
        } else {
            try checkServiceSignature(request, account, need, fields, given)
            if let id = fields["si"], !id.isEmpty {
                guard let policy = try? await policy(request, id) else { throw .authenticationFailed }
                for (field, name) in [("sp", "permission"), ("st", "start"), ("se", "expiry")]
                where (fields[field] ?? "").isEmpty {
                    fields[field] = policy[name]?.string
                }
            }
        }
        try checkTimes(fields)
        try checkCaller(request, fields)
        let permissions = fields["sp"] ?? ""
        guard need.letters.contains(where: permissions.contains) else { throw .permissionMismatch }
        return fields
    }

    private func checkServiceSignature(
        _ request: BlobRequest,
        _ account: StorageAccounts.Account,
        _ need: Need,
        _ fields: [String: String],
        _ given: String
    ) throws(BlobError) {
        let path: String
        switch fields["sr"] {
        case "c": path = "/\(request.container)"
        case "b" where need.resource == "o", "bs" where need.resource == "o":
            path = "/\(request.container)/\(request.blob)"
        case "b", "bs": throw .permissionMismatch
        default: throw .authenticationFailed
        }
        guard need.resource != "s" else { throw .permissionMismatch }
        let snapshot = fields["sr"] == "bs" ? request.parameter("snapshot") ?? "" : ""
        let text = SharedAccess.serviceStringToSign(fields, account: account.name, path: path, snapshot: snapshot)
        try Self.check(given, text, account)
    }

    private func policy(_ request: BlobRequest, _ id: String) async throws(BlobError) -> JSONValue? {
        let container = try await store.container(request.account, request.container)
        return container.policies.first { $0["id"]?.string == id }
    }

    private func checkTimes(_ fields: [String: String]) throws(BlobError) {
        let now = store.now
        if let start = fields["st"], !start.isEmpty {
            guard let time = BlobTime.parse(iso: start), time <= now + 1 else { throw .authenticationFailed }
        }
        guard let end = fields["se"].flatMap(BlobTime.parse(iso:)), now < end else { throw .authenticationFailed }
    }

    private func checkCaller(_ request: BlobRequest, _ fields: [String: String]) throws(BlobError) {
        if let protocols = fields["spr"], !protocols.isEmpty, !protocols.split(separator: ",").contains("http"),
            request.header("x-forwarded-proto") != "https"
        {
            throw BlobError(
                403,
                "AuthorizationProtocolMismatch",
                "This request is not authorized to perform this operation using this protocol."
            )
        }
        if let range = fields["sip"], !range.isEmpty {
            let ends = range.split(separator: "-").compactMap { Self.address(String($0)) }
            guard let caller = Self.address(request.clientAddress), let first = ends.first, let last = ends.last,
                first <= caller, caller <= last
            else {
                throw BlobError(
                    403,
                    "AuthorizationSourceIPMismatch",
                    "This request is not authorized to perform this operation using this source IP."
                )
            }
        }
    }

    private static func address(_ text: String) -> UInt32? {
        let parts = text.split(separator: ".").compactMap { UInt8($0) }
        guard parts.count == 4 else { return nil }
        return parts.reduce(0) { $0 << 8 | UInt32($1) }
    }

    // MARK: - Public containers

    /// Whether nobody in particular may read this: never a listing of the account.
    private func checkPublic(_ request: BlobRequest, _ need: Need) async throws(BlobError) {
        guard ["GET", "HEAD"].contains(request.method), need.resource != "s", !request.container.isEmpty,
            let container = try? await store.container(request.account, request.container),
            let access = container.publicAccess, access == "container" || need.resource == "o"
        else { throw .resourceNotFound }
    }

    /// Whether a URL lets read a blob of this store: what a copy's source is asked.
    func canRead(_ request: BlobRequest) async -> Bool {
        (try? await authorize(request, .object("r"))) != nil
    }
}
