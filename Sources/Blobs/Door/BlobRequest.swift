import BlobClient
import Foundation
import ResourceModel

/// A request of the blobs door: head as values, names resolved.
struct BlobRequest: Sendable {
    let method: String
    /// As it stands in the request line, without the query.
    let path: String
    /// Decoded, in order.
    let query: [(name: String, value: String)]
    /// Names in lower case, in order.
    let headers: [(name: String, value: String)]
    /// The names of metadata keep their case.
    private let metadataFields: [(name: String, value: String)]
    /// The client's address as text.
    let clientAddress: String
    /// Whether the request came over TLS.
    let isSecure: Bool
    let account: String
    /// Empty where the request is about the account.
    let container: String
    /// Empty where the request is about the container.
    let blob: String
    let requestID: String
    /// The protocol's version as it is answered.
    let version: String
    /// What is wrong with the head; its answer names the request all the same.
    let problem: BlobError?

    static let defaultVersion = "2023-11-03"

    var place: BlobPlace { BlobPlace(account: account, container: container, name: blob) }
    var signable: SignableRequest { SignableRequest(method: method, path: path, query: query, headers: headers) }

    /// What an answer repeats of the request.
    var echo: [(name: String, value: String)] {
        var fields = [(name: "x-ms-version", value: version)]
        if let id = header("x-ms-client-request-id"), id.utf8.count <= Self.clientIDBytesMax {
            fields.append(("x-ms-client-request-id", id))
        }
        return fields
    }

    /// A longer id of the client's is not repeated, as the service does not.
    private static let clientIDBytesMax = 1024

    /// Whether listings name the address of each thing, as they did before this version.
    var listsAddresses: Bool { version < "2013-08-15" }

    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// A query parameter by its name without case.
    func parameter(_ name: String) -> String? { query.first { $0.name.lowercased() == name }?.value }

    var component: String { parameter("comp")?.lowercased() ?? "" }
    var resourceType: String { parameter("restype")?.lowercased() ?? "" }

    /// - Parameter knowsAccount: whether an account of that name is here, which decides between path style and host style.
    init(
        method: String,
        target: String,
        fields: [(name: String, value: String)],
        clientAddress: String,
        isSecure: Bool,
        requestID: String,
        defaultVersion: String = BlobRequest.defaultVersion,
        knowsAccount: (String) -> Bool
    ) {
        self.method = method
        let headers = fields.map { (name: $0.name.lowercased(), value: $0.value) }
        self.headers = headers
        let prefix = "x-ms-meta-"
        metadataFields = fields.filter { $0.name.lowercased().hasPrefix(prefix) }
            .map { (String($0.name.dropFirst(prefix.count)), $0.value) }
        self.clientAddress = clientAddress
        self.isSecure = isSecure
        self.requestID = requestID
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = String(parts[0])
        let items = parts.count > 1 ? Self.items(parts[1]) : []
        query = items ?? []
        let host = headers.first { $0.name == "host" }?.value ?? ""
        var names = path.dropFirst().split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).map(
            String.init
        )
        // Host style: ACCOUNT.host/container/blob; an address or a plain name has no account in it.
        let label = host.split(separator: ".").first.map(String.init) ?? ""
        let isHostStyle = host.contains(".") && knowsAccount(label) && !(names.first.map(knowsAccount) ?? false)
        if isHostStyle {
            names = path.dropFirst().split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(
                String.init
            )
            names.insert(label, at: 0)
        }
        let decoded = names.map { PercentEncoding.decoded($0) }
        var problem: BlobError?
        if decoded.contains(nil) || items == nil {
            problem = BlobError(400, "InvalidUri", "The requested URI does not represent any resource on the server.")
        }
        account = (decoded.first ?? "") ?? ""
        var container = (decoded.count > 1 ? decoded[1] : "") ?? ""
        var blob = (decoded.count > 2 ? decoded[2] : "") ?? ""
        let type = query.first { $0.name.lowercased() == "restype" }?.value.lowercased() ?? ""
        if !container.isEmpty, blob.isEmpty, type.isEmpty, decoded.count == 2, Self.isBlobInRoot(method, query) {
            // A single name without `restype` is a blob of the root container.
            blob = container
            container = "$root"
        }
        self.container = container
        self.blob = blob
        if let name = Self.repeated(headers) {
            let value = headers.last { $0.name == name }?.value ?? ""
            problem = .invalidHeader(name, value, "it must not appear twice.")
        }
        let isDate = { (text: String) in text.utf8.count == 10 && BlobTime.parse(iso: text) != nil }
        let sent = headers.first { $0.name == "x-ms-version" }?.value
        if let sent, !isDate(sent) {
            problem = .invalidHeader("x-ms-version", sent, "a version is a date, as \(Self.defaultVersion).")
        }
        let stated = sent ?? query.first { $0.name == "sv" }?.value
        version = stated.flatMap { isDate($0) ? $0 : nil } ?? defaultVersion
        self.problem = problem
    }

    private static func isBlobInRoot(_ method: String, _ query: [(name: String, value: String)]) -> Bool {
        let component = query.first { $0.name.lowercased() == "comp" }?.value.lowercased() ?? ""
        return !["list", "acl", "batch"].contains(component)
    }

    /// The items of a query; nil where one is not percent-encoded UTF-8.
    private static func items(_ text: Substring) -> [(name: String, value: String)]? {
        var items: [(name: String, value: String)] = []
        for item in text.split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = decoded(parts[0]) else { return nil }
            // Many a hand copies a signature without encoding it, and no signature holds a blank.
            guard let value = parts.count > 1 ? decoded(parts[1], plusIsBlank: name != "sig") : "" else { return nil }
            items.append((name, value))
        }
        return items
    }

    private static func decoded(_ text: Substring, plusIsBlank: Bool = true) -> String? {
        PercentEncoding.decoded(plusIsBlank && text.utf8.contains(0x2B) ? text.replacing("+", with: " ") : text)
    }

    /// Fields beside those of the protocol that have one value here; a second line would be judged by nobody.
    private static let singleFields: Set<String> = [
        "authorization", "cache-control", "content-disposition", "content-encoding", "content-language", "content-md5",
        "content-type", "date", "if-match", "if-modified-since", "if-none-match", "if-unmodified-since", "origin",
        "range",
    ]

    /// A field that has one value and appears twice; metadata may.
    private static func repeated(_ headers: [(name: String, value: String)]) -> String? {
        var seen: Set<String> = []
        for (name, _) in headers {
            guard name.hasPrefix("x-ms-") ? !name.hasPrefix("x-ms-meta-") : singleFields.contains(name) else {
                continue
            }
            guard seen.insert(name).inserted else { return name }
        }
        return nil
    }

    // MARK: - Fields of requests

    func conditions() throws(BlobError) -> AccessConditions {
        try conditions(prefix: "")
    }

    /// - Parameter prefix: `x-ms-source-` for those of a copy's source.
    func conditions(prefix: String) throws(BlobError) -> AccessConditions {
        var result = AccessConditions()
        result.ifMatch = header(prefix + "if-match").map(Self.etags)
        result.ifNoneMatch = header(prefix + "if-none-match").map(Self.etags)
        result.ifModifiedSince = try time(prefix + "if-modified-since")
        result.ifUnmodifiedSince = try time(prefix + "if-unmodified-since")
        result.leaseID = header(prefix.isEmpty ? "x-ms-lease-id" : "x-ms-source-lease-id")
        return result
    }

    private func time(_ name: String) throws(BlobError) -> Double? {
        guard let text = header(name) else { return nil }
        guard let time = BlobTime.parse(http: text) else {
            throw .invalidHeader(name, text, "it must be an HTTP date.")
        }
        return time
    }

    private static func etags(_ text: String) -> [String] {
        text.split(separator: ",").map { item in
            var etag = item.trimmingCharacters(in: .whitespaces)
            if etag.hasPrefix("W/") { etag.removeFirst(2) }
            return etag.trimmingCharacters(in: CharacterSet(charactersIn: "\""))
        }
    }

    func number(header name: String) throws(BlobError) -> Int64? {
        guard let text = header(name) else { return nil }
        guard let number = Int64(text), number >= 0 else {
            throw .invalidHeader(name, text, "it must be a whole number that is not negative.")
        }
        return number
    }

    func number(query name: String, _ range: ClosedRange<Int>) throws(BlobError) -> Int? {
        guard let text = parameter(name) else { return nil }
        guard let number = Int(text) else { throw .invalidQuery(name, text, "it must be a whole number.") }
        guard range.contains(number) else {
            throw .outOfRange(name, text, "it must be from \(range.lowerBound) to \(range.upperBound).")
        }
        return number
    }

    /// `bytes=a-b` of x-ms-range or Range as its ends; the last is nil where it is open.
    func range() throws(BlobError) -> (first: Int64, last: Int64?)? {
        guard
            let (name, text) = ["x-ms-range", "range"].lazy.compactMap({ name in header(name).map { (name, $0) } })
                .first
        else { return nil }
        guard text.lowercased().hasPrefix("bytes=") else {
            throw .invalidHeader(name, text, "a range is written bytes=first-last.")
        }
        let ends = text.dropFirst(6).split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard ends.count == 2, let first = Int64(ends[0]), first >= 0 else {
            throw .invalidHeader(name, text, "a range is written bytes=first-last.")
        }
        guard !ends[1].isEmpty else { return (first, nil) }
        guard let last = Int64(ends[1]), last >= first, last < .max else {
            throw .invalidHeader(name, text, "the last byte of a range must not stand before its first.")
        }
        return (first, last)
    }

    /// `x-ms-meta-…` as metadata.
    func metadata() throws(BlobError) -> JSONObject {
        var result = JSONObject()
        var bytes = 0
        for (key, value) in metadataFields {
            let isName =
                key.unicodeScalars.first.map { $0 == "_" || $0.properties.isAlphabetic } ?? false
                && key.unicodeScalars.allSatisfy { $0 == "_" || $0.properties.isAlphabetic || ("0"..."9").contains($0) }
            guard isName else {
                throw BlobError(
                    400,
                    "InvalidMetadata",
                    "The metadata specified is invalid. It has characters that are not permitted: \(key.prefix(64))."
                )
            }
            bytes += key.utf8.count + value.utf8.count
            if let before = result[key]?.string {
                result[key] = .string(before + "," + value)
            } else {
                result[key] = .string(value)
            }
        }
        guard bytes <= 8 << 10 else {
            throw BlobError(
                400,
                "MetadataTooLarge",
                "The size of the specified metadata exceeds the maximum size permitted, 8 KiB."
            )
        }
        return result
    }

    /// What a request sets on a blob.
    ///
    /// - Parameter takesPlainHeaders: whether `Content-Type` and the like count where the `x-ms-blob-` form is missing (Put Blob).
    func draft(takesPlainHeaders: Bool) throws(BlobError) -> BlobDraft {
        var draft = BlobDraft()
        draft.headers = blobHeaders(takesPlainHeaders: takesPlainHeaders)
        draft.metadata = try metadata()
        draft.tier = try tier()
        if let text = header("x-ms-tags") { draft.tags = try BlobTags.parse(header: text) }
        _ = try md5(header: "x-ms-blob-content-md5")
        return draft
    }

    /// The MD5 that a header states; an empty one states none.
    func md5(header name: String) throws(BlobError) -> [UInt8]? {
        guard let text = header(name), !text.isEmpty else { return nil }
        guard let data = Data(base64Encoded: text), data.count == 16 else {
            throw BlobError(
                400,
                "InvalidMd5",
                "The MD5 value specified in the request is invalid: \(name): MD5 values are 128 bits, base64-encoded."
            )
        }
        return Array(data)
    }

    static let blobHeaderNames = [
        "Content-Type", "Content-Encoding", "Content-Language", "Content-MD5", "Cache-Control", "Content-Disposition",
    ]

    func blobHeaders(takesPlainHeaders: Bool) -> JSONObject {
        var result = JSONObject()
        for name in Self.blobHeaderNames {
            let plain = takesPlainHeaders && name != "Content-Disposition" ? header(name.lowercased()) : nil
            let stated = [header("x-ms-blob-\(name.lowercased())"), plain].compactMap { $0 }
            // An MD5 that says nothing is as if it were absent.
            if let value = stated.first(where: { name != "Content-MD5" || !$0.isEmpty }) {
                result[name] = .string(value)
            }
        }
        return result
    }

    func tier() throws(BlobError) -> String? {
        guard let tier = header("x-ms-access-tier") else { return nil }
        let isPageTier = tier.hasPrefix("P") && Int(tier.dropFirst()).map { (1...80).contains($0) } ?? false
        guard ["Hot", "Cool", "Cold", "Archive", "Premium"].contains(tier) || isPageTier else {
            throw .invalidHeader("x-ms-access-tier", tier, "known tiers are Hot, Cool, Cold and Archive.")
        }
        return tier
    }
}
