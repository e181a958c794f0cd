package import BlobClient
import Crypto
import Foundation
package import HTTPWire
package import Logging
package import NIOCore
import ResourceModel
import Store

/// The blob protocol: from a request's head and body to its answer.
package final class BlobDoor: TaskDoor {
    /// Requests at work at once: each holds memory and waits for the disk.
    ///
    /// Those that wait for their clients do not count (`DoorLoad`).
    private static let requestsMax = 512
    /// Documents of requests: a block list of 50,000 entries is some 5 MB.
    static let documentBytesMax = 8 << 20

    let store: BlobStore
    let accounts: StorageAccounts
    let authorizer: BlobAuthorizer
    let remote: RemoteBlobs
    let sharing = SharingRules()
    private let trustedProxies: Set<String>
    private let logger: Logger
    package let load = DoorLoad(workingMax: requestsMax)
    /// What a client has gone from is not worth reading on for.
    package let cancelsAbandoned = true
    package let executor: (any TaskExecutor)? = nil

    /// - Parameters:
    ///   - remote: reads copy sources that are not ours.
    ///   - trustedProxies: addresses whose X-Forwarded-Proto is believed.
    package init(
        store: BlobStore,
        accounts: StorageAccounts,
        remote: RemoteBlobs,
        trustedProxies: [String],
        logger: Logger
    ) {
        self.store = store
        self.accounts = accounts
        self.remote = remote
        self.logger = logger
        self.trustedProxies = Set(trustedProxies)
        authorizer = BlobAuthorizer(accounts: accounts, store: store)
    }

    /// A request's head as text.
    struct Head: Sendable {
        let method: String
        let target: String
        let fields: [(name: String, value: String)]
        let clientAddress: String
        let isSecure: Bool
        let requestID: String
    }

    package func serve(_ head: TaskHead, _ body: RequestBody, _ writer: ReplyWriter) async -> Bool {
        let words = Head(
            method: head.method,
            target: head.target,
            fields: head.fields,
            clientAddress: head.clientAddress,
            isSecure: head.isSecure(trusting: trustedProxies),
            requestID: Identifier.guid()
        )
        // A batch holds deletions, and changes of tiers that write little; a lease may have to be broken before a deletion.
        let isFreeing = head.method == "DELETE" || ["comp=batch", "comp=lease"].contains { head.target.contains($0) }
        return await SpaceUse.$isFreeing.withValue(isFreeing) {
            await serve(head: words, body, writer, closes: head.closes)
        }
    }

    package func refusal(_ status: Int, _ head: RefusedHead) -> ByteBuffer {
        let error = BlobError(status, "InvalidInput", "The request is not valid HTTP/1.1.")
        let request = BlobRequest(
            method: head.method,
            target: head.target,
            fields: head.fields,
            clientAddress: "",
            isSecure: false,
            requestID: Identifier.guid(),
            knowsAccount: { accounts.account($0) != nil }
        )
        var reply = BlobReply(error, (method: head.method, id: request.requestID))
        reply.fields += commonFields(request)
        var bytes = reply.head(closes: true)
        if case .bytes(let body, _) = reply.body { bytes.writeBytes(body) }
        return bytes
    }

    /// Answers a request.
    ///
    /// - Returns: false where the answer could not be sent whole, so that the connection must be cut.
    func serve(head: Head, _ body: RequestBody, _ writer: ReplyWriter, closes: Bool) async -> Bool {
        let request = BlobRequest(
            method: head.method,
            target: head.target,
            fields: head.fields,
            clientAddress: head.clientAddress,
            isSecure: head.isSecure,
            requestID: head.requestID,
            knowsAccount: { accounts.account($0) != nil }
        )
        var reply: BlobReply
        let hasEntered = load.enter()
        defer { if hasEntered { load.leave() } }
        do throws(BlobError) {
            guard hasEntered else { throw .serverBusy }
            reply = try await answer(request, body)
        } catch { reply = BlobReply(error, (method: head.method, id: head.requestID)) }
        // An answer may come to nothing while it is being sent: the error in its place says the same of the request.
        let common = commonFields(request)
        reply.fields += common
        return await send(reply, head, common, writer, closes: closes)
    }

    /// What every answer says, errors too: whose it is, and whether a page of another origin may read it.
    private func commonFields(_ request: BlobRequest) -> [(name: String, value: String)] {
        var fields = request.echo + [("x-ms-request-id", request.requestID)]
        if let origin = request.header("origin"), request.method != "OPTIONS" {
            fields += corsFields(request, origin)
        }
        return fields
    }

    private func send(
        _ reply: BlobReply,
        _ head: Head,
        _ common: [(name: String, value: String)],
        _ writer: ReplyWriter,
        closes: Bool
    ) async -> Bool {
        var start = reply.head(closes: closes)
        switch reply.body {
        case .none, .omitted: break
        case .bytes(let bytes, _): start.writeBytes(bytes)
        case .blob(let reading, let range):
            defer { reading.end() }
            var hasBegun = false
            do {
                try await reading.forEachPiece(range, isScarce: { self.load.isScarce }) { piece in
                    if hasBegun { return try await writer.write(piece) }
                    hasBegun = true
                    try await writer.write(start)
                    try await writer.write(piece)
                }
                if hasBegun { return true }
            } catch {
                // After the head nothing can be said any more: a cut answer is not taken for a whole one.
                guard !hasBegun, let error = error as? BlobError else { return false }
                var failure = BlobReply(error, (method: head.method, id: head.requestID))
                failure.fields += common
                return await send(failure, head, common, writer, closes: closes)
            }
        }
        do { try await writer.write(start) } catch { return false }
        return true
    }

    // MARK: - Dispatch

    private static let refused = [
        ("x-ms-if-tags", "conditions on tags"), ("x-ms-source-if-tags", "conditions on tags"),
        ("x-ms-encryption-key", "encryption by the caller's key"), ("x-ms-encryption-scope", "encryption scopes"),
        ("x-ms-structured-body", "structured bodies"), ("x-ms-content-crc64", "CRC-64 of bodies"),
        ("x-ms-source-content-crc64", "CRC-64 of sources"), ("x-ms-range-get-content-crc64", "CRC-64 of ranges"),
        ("x-ms-copy-source-authorization", "copy sources by a token"),
    ]
    /// Operations of the service that this store does not have, by their `comp`, and the permissions that they would need.
    private static let unbuilt = [
        "incrementalcopy": ("incremental copies", "cw"), "undelete": ("undelete", "w"),
        "query": ("queries of blobs", "r"), "expiry": ("expiry of blobs", "w"),
        "immutabilitypolicies": ("immutability policies", "i"), "legalhold": ("legal holds", "i"),
        "userdelegationkey": ("user delegation keys", "r"), "stats": ("statistics of the service", "r"),
        "rename": ("renaming of containers", "w"),
    ]

    func answer(_ request: BlobRequest, _ body: RequestBody) async throws(BlobError) -> BlobReply {
        if let problem = request.problem { throw problem }
        if request.method == "OPTIONS" { return try preflight(request) }
        guard accounts.account(request.account) != nil else { throw .resourceNotFound }
        // What would change the meaning of a request and is not built must not be passed over.
        for (name, what) in Self.refused where request.header(name) != nil { throw .unsupported(what) }
        if request.parameter("versionid") != nil { throw .unsupported("versions of blobs") }
        // Writes without a body read none, and what they state of it is judged all the same.
        if body.length == 0, let stated = try request.md5(header: "content-md5"),
            !stated.elementsEqual(Insecure.MD5.hash(data: []))
        {
            throw .md5Mismatch
        }
        if request.container.isEmpty { return try await answerService(request, body) }
        if request.blob.isEmpty || request.resourceType == "container" {
            return try await answerContainer(request, body)
        }
        return try await answerBlob(request, body)
    }

    /// The error of an operation that is not here; who may not ask for it learns no more than that.
    func unknown(_ request: BlobRequest, of resource: BlobAuthorizer.Need.Resource) async throws(BlobError) -> BlobError
    {
        let component = request.parameter("comp") ?? ""
        if let (what, letters) = Self.unbuilt[component.lowercased()] {
            _ = try await authorizer.authorize(request, BlobAuthorizer.Need(resource: resource, letters: letters))
            return .unsupported(what)
        }
        guard component.isEmpty else {
            return .invalidQuery("comp", component, "the operation is not known, or not for \(request.method).")
        }
        return BlobError(
            405,
            "UnsupportedHttpVerb",
            "The resource doesn't support the specified HTTP verb \(request.method.prefix(16))."
        )
    }

    /// The document of a request.
    func document(_ request: BlobRequest, _ body: RequestBody) async throws(BlobError) -> XMLElement {
        let bytes = try await bytes(request, body)
        do { return try XMLElement(parsing: bytes) } catch { throw .invalidXML(error.message) }
    }

    /// A small body, proven by the MD5 that the request states.
    func bytes(_ request: BlobRequest, _ body: RequestBody) async throws(BlobError) -> [UInt8] {
        let stated = try request.md5(header: "content-md5")
        let bytes: [UInt8]
        do { bytes = try await body.collect(max: Self.documentBytesMax) } catch let error as BlobError {
            throw error
        } catch {
            throw .invalidInput("the body ended before its length.")
        }
        if let stated, !stated.elementsEqual(Insecure.MD5.hash(data: bytes)) { throw .md5Mismatch }
        return bytes
    }

    // MARK: - Service

    private func answerService(_ request: BlobRequest, _ body: RequestBody) async throws(BlobError) -> BlobReply {
        switch (request.method, request.resourceType, request.component) {
        case ("GET", _, "list"):
            _ = try await authorizer.authorize(request, .service("l"))
            return try await listContainers(request)
        case ("GET", "service", "properties"):
            _ = try await authorizer.authorize(request, .service("r"))
            return .xml(ServiceProperties(document: try await store.account(request.account)).xml)
        case ("PUT", "service", "properties"):
            _ = try await authorizer.authorize(request, .service("w"))
            var properties = ServiceProperties(document: try await store.account(request.account))
            try properties.update(try await document(request, body))
            try await set(properties, of: request.account)
            return BlobReply(202)
        case ("GET", "account", "properties"), ("HEAD", "account", "properties"):
            _ = try await authorizer.authorize(request, .service(BlobAuthorizer.anyLetter))
            return BlobReply(200, accountFields)
        case ("GET", _, "blobs"):
            _ = try await authorizer.authorize(request, .service(BlobAuthorizer.findLetter))
            return try await findBlobs(request)
        case ("POST", _, "batch"): return try await batch(request, body)
        default: throw try await unknown(request, of: .service)
        }
    }

    var accountFields: [(name: String, value: String)] {
        [("x-ms-sku-name", "Standard_LRS"), ("x-ms-account-kind", "StorageV2"), ("x-ms-is-hns-enabled", "false")]
    }

    private func listContainers(_ request: BlobRequest) async throws(BlobError) -> BlobReply {
        let (limit, stated) = try limit(request)
        let prefix = request.parameter("prefix") ?? ""
        let marker = request.parameter("marker") ?? ""
        let includes = includes(request)
        // A marker is the name that the next page begins with.
        let found = try await store.containers(
            request.account,
            prefix: prefix,
            from: marker.split(separator: "/").last.map(String.init) ?? "",
            limit: limit + 1
        )
        let now = store.now
        var text = XMLText()
        let endpoint = endpoint(request)
        text.open("EnumerationResults", [(request.listsAddresses ? "AccountName" : "ServiceEndpoint", endpoint)])
        if !prefix.isEmpty { text.name("Prefix", prefix) }
        if !marker.isEmpty { text.name("Marker", marker) }
        text.leaf("MaxResults", optional: stated.map(String.init))
        text.open("Containers")
        for container in found.prefix(limit) {
            text.open("Container")
            text.leaf("Name", container.name)
            if request.listsAddresses { text.leaf("Url", endpoint + container.name) }
            text.open("Properties")
            text.leaf("Last-Modified", HTTPDate.text(seconds: Int(container.modified)))
            text.leaf("Etag", "\"\(container.etag)\"")
            text.leaf("LeaseStatus", LeaseRules.status(container.lease, at: now))
            text.leaf("LeaseState", LeaseRules.state(container.lease, at: now).rawValue)
            if LeaseRules.state(container.lease, at: now) == .leased {
                text.leaf("LeaseDuration", container.lease.duration < 0 ? "infinite" : "fixed")
            }
            text.leaf("PublicAccess", optional: container.publicAccess)
            text.leaf("DefaultEncryptionScope", "$account-encryption-key")
            text.leaf("DenyEncryptionScopeOverride", "false")
            text.leaf("HasImmutabilityPolicy", "false")
            text.leaf("HasLegalHold", "false")
            text.close("Properties")
            if includes.contains("metadata") { write(container.metadata, to: &text) }
            text.close("Container")
        }
        text.close("Containers")
        text.leaf("NextMarker", found.count > limit ? "/\(request.account)/\(found[limit].name)" : "")
        text.close("EnumerationResults")
        return .xml(text.text)
    }

    func write(_ metadata: JSONObject, to text: inout XMLText) {
        text.open("Metadata")
        for (name, value) in metadata.members { text.leaf(name, value.string ?? "") }
        text.close("Metadata")
    }

    /// How many entries a page has, and what the request said.
    func limit(_ request: BlobRequest) throws(BlobError) -> (limit: Int, stated: Int?) {
        let stated = try request.number(query: "maxresults", 1...Int(Int32.max))
        return (min(stated ?? 5000, 5000), stated)
    }

    func includes(_ request: BlobRequest) -> Set<String> {
        Set((request.parameter("include") ?? "").lowercased().split(separator: ",").map(String.init))
    }

    /// The account's address as the request named it.
    func endpoint(_ request: BlobRequest) -> String {
        let host = request.header("host") ?? "localhost"
        let isPathStyle = request.path.dropFirst().hasPrefix(request.account)
        return "http://\(host)/" + (isPathStyle ? "\(request.account)/" : "")
    }
}
