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

    /// Whether the caller holds a letter; who holds the key holds them all.
    func holds(_ letter: Character) -> Bool {
        switch self {
        case .owner: true
        case .signature(let fields): fields["sp"]?.contains(letter) == true
        case .anonymous: false
        }
    }
}

/// Judges the signatures of requests (contracts/blob-storage.md, Authorization).
struct BlobAuthorizer: Sendable {
    /// How far a request's date may be from ours.
    private static let skewMax = 15.0 * 60
    private static let oldestVersion = "2012-02-12"
    /// There was no account SAS before.
    private static let oldestAccountVersion = "2015-04-05"

    let accounts: StorageAccounts
    let store: BlobStore
    /// Addresses whose word on the caller's protocol is believed.

    /// What a request needs to be allowed: one letter of these, on that kind of resource.
    struct Need: Sendable {
        enum Resource: Sendable {
            /// The account.
            case service
            /// A container itself: its being, its properties, its lease.
            case container
            /// The blobs of a container together.
            case blobs
            case object
        }

        let resource: Resource
        let letters: String

        static func service(_ letters: String) -> Need { Need(resource: .service, letters: letters) }
        /// A service SAS never reaches the container itself, whatever its letters (REST reference, Create a service SAS).
        static func container(_ letters: String) -> Need { Need(resource: .container, letters: letters) }
        static func blobs(_ letters: String) -> Need { Need(resource: .blobs, letters: letters) }
        static func object(_ letters: String) -> Need { Need(resource: .object, letters: letters) }

        /// Breaking a lease is allowed to who may delete what is leased, from version 2017-07-29 on.
        static func lease(_ request: BlobRequest, of resource: Resource) -> Need {
            let mayBreak =
                request.header("x-ms-lease-action")?.lowercased() == "break"
                && request.parameter("sv") ?? "" >= "2017-07-29"
            return Need(resource: resource, letters: mayBreak ? "wd" : "w")
        }

        /// The letters of an account SAS's `srt` that reach it.
        var types: String {
            switch resource {
            // What is found by tags is of the account, and an object is what is found: the reference and its clients differ.
            case .service: letters == BlobAuthorizer.findLetter ? "so" : "s"
            case .blobs: letters == BlobAuthorizer.findLetter ? "co" : "c"
            case .container: "c"
            case .object: "o"
            }
        }

        /// Whether anybody may do it where the container is public: only what reads and what lists.
        var isPublic: Bool { letters.contains("r") || letters.contains("l") }
    }

    static let findLetter = "f"
    /// Any permission will do.
    static let anyLetter = "rwdlacuptfxyi"

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
        guard let version = fields["sv"], version >= Self.oldestVersion, let given = fields["sig"] else {
            throw .authenticationFailed
        }
        // What is not signed is anybody's word: an account SAS and the oldest service SAS say nothing of an answer's headers.
        if fields["ss"] != nil || !SharedAccess.signsOverrides(version) {
            for name in SharedAccess.overrides { fields[name] = nil }
        }
        if fields["ss"] != nil {
            guard version >= Self.oldestAccountVersion else { throw .authenticationFailed }
            let text = SharedAccess.accountStringToSign(fields, account: account.name)
            try Self.check(given, text, account)
            guard fields["ss"]?.contains("b") == true, need.types.contains(where: (fields["srt"] ?? "").contains) else {
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
        guard need.resource == .object || need.resource == .blobs else { throw .permissionMismatch }
        let path: String
        var snapshot = ""
        switch fields["sr"] {
        case "c": path = "/\(request.container)"
        case "b" where need.resource == .object: path = "/\(request.container)/\(request.blob)"
        case "bs" where need.resource == .object:
            // Before this version neither the kind nor the snapshot was signed.
            guard fields["sv"] ?? "" >= "2018-11-09", let time = request.parameter("snapshot"), !time.isEmpty else {
                throw .authenticationFailed
            }
            path = "/\(request.container)/\(request.blob)"
            snapshot = time
        case "b", "bs": throw .permissionMismatch
        default: throw .authenticationFailed
        }
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
            !request.isSecure
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
        guard ["GET", "HEAD"].contains(request.method), need.isPublic, need.resource != .service,
            !request.container.isEmpty,
            let container = try? await store.container(request.account, request.container),
            let access = container.publicAccess, access == "container" || need.resource == .object
        else { throw .resourceNotFound }
    }

    /// Whether a URL lets read a blob of this store: what a copy's source is asked.
    func canRead(_ request: BlobRequest) async -> Bool {
        (try? await authorize(request, .object("r"))) != nil
    }
}
