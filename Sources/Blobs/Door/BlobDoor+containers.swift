import BlobClient
import HTTPWire
import ResourceModel
import Store

extension BlobDoor {
    func answerContainer(_ request: BlobRequest, _ body: RequestBody) async throws(BlobError) -> BlobReply {
        switch (request.method, request.component) {
        case ("PUT", ""):
            _ = try await authorizer.authorize(request, .container("cw"))
            let container = try await store.createContainer(
                request.account,
                request.container,
                metadata: try request.metadata(),
                publicAccess: try publicAccess(request)
            )
            return BlobReply(201, stamp(container))
        case ("DELETE", ""):
            _ = try await authorizer.authorize(request, .container("d"))
            try await store.deleteContainer(request.account, request.container, try request.conditions())
            return BlobReply(202)
        case ("GET", ""), ("HEAD", ""), ("GET", "metadata"), ("HEAD", "metadata"):
            _ = try await authorizer.authorize(request, .container("r"))
            let container = try await store.container(request.account, request.container, try request.conditions())
            return BlobReply(200, fields(container))
        case ("PUT", "metadata"):
            _ = try await authorizer.authorize(request, .container("w"))
            let metadata = try request.metadata()
            let container = try await store.changeContainer(
                request.account,
                request.container,
                try request.conditions()
            ) {
                $0.metadata = metadata
            }
            return BlobReply(200, stamp(container))
        case ("GET", "acl"), ("HEAD", "acl"):
            guard case .owner = try await authorizer.authorize(request, .container("r")) else {
                throw .permissionMismatch
            }
            let container = try await store.container(request.account, request.container, try request.conditions())
            var fields = stamp(container)
            if let access = container.publicAccess { fields.append(("x-ms-blob-public-access", access)) }
            return .xml(Self.policies(container.policies), fields)
        case ("PUT", "acl"):
            guard case .owner = try await authorizer.authorize(request, .container("w")) else {
                throw .permissionMismatch
            }
            return try await setACL(request, body)
        case ("PUT", "lease"):
            _ = try await authorizer.authorize(request, .lease(request, of: .container))
            let (container, outcome) = try await store.leaseContainer(
                request.account,
                request.container,
                try leaseAction(request),
                try leaseConditions(request)
            )
            return BlobReply(outcome.status, stamp(container) + leaseFields(outcome))
        case ("GET", "list"):
            let caller = try await authorizer.authorize(request, .blobs("l"))
            guard !includes(request).contains("tags") || caller.holds("t") else { throw .permissionMismatch }
            return try await listBlobs(request)
        case ("GET", "blobs"):
            _ = try await authorizer.authorize(request, .blobs(BlobAuthorizer.findLetter))
            return try await findBlobs(request)
        case ("POST", "batch"): return try await batch(request, body)
        case ("GET", "properties"), ("HEAD", "properties"):
            _ = try await authorizer.authorize(request, .blobs(BlobAuthorizer.anyLetter))
            return BlobReply(200, accountFields)
        default: throw try await unknown(request, of: .container)
        }
    }

    private func publicAccess(_ request: BlobRequest) throws(BlobError) -> String? {
        guard let access = request.header("x-ms-blob-public-access") else { return nil }
        guard ["blob", "container"].contains(access.lowercased()) else {
            throw .invalidHeader("x-ms-blob-public-access", access, "it must be blob or container.")
        }
        return access.lowercased()
    }

    func stamp(_ container: ContainerRecord) -> [(name: String, value: String)] {
        [("ETag", "\"\(container.etag)\""), ("Last-Modified", HTTPDate.text(seconds: Int(container.modified)))]
    }

    private func fields(_ container: ContainerRecord) -> [(name: String, value: String)] {
        let now = store.now
        var fields = stamp(container)
        for (name, value) in container.metadata.members { fields.append(("x-ms-meta-\(name)", value.string ?? "")) }
        fields.append(("x-ms-lease-status", LeaseRules.status(container.lease, at: now)))
        fields.append(("x-ms-lease-state", LeaseRules.state(container.lease, at: now).rawValue))
        if LeaseRules.state(container.lease, at: now) == .leased {
            fields.append(("x-ms-lease-duration", container.lease.duration < 0 ? "infinite" : "fixed"))
        }
        if let access = container.publicAccess { fields.append(("x-ms-blob-public-access", access)) }
        fields.append(("x-ms-has-immutability-policy", "false"))
        fields.append(("x-ms-has-legal-hold", "false"))
        fields.append(("x-ms-default-encryption-scope", "$account-encryption-key"))
        fields.append(("x-ms-deny-encryption-scope-override", "false"))
        return fields
    }

    // MARK: - Policies

    private static let policiesMax = 5

    private static func policies(_ policies: [JSONValue]) -> String {
        var text = XMLText()
        text.open("SignedIdentifiers")
        for policy in policies {
            text.open("SignedIdentifier")
            text.leaf("Id", policy["id"]?.string ?? "")
            text.open("AccessPolicy")
            text.leaf("Start", optional: policy["start"]?.string)
            text.leaf("Expiry", optional: policy["expiry"]?.string)
            text.leaf("Permission", optional: policy["permission"]?.string)
            text.close("AccessPolicy")
            text.close("SignedIdentifier")
        }
        text.close("SignedIdentifiers")
        return text.text
    }

    private func setACL(_ request: BlobRequest, _ body: RequestBody) async throws(BlobError) -> BlobReply {
        let access = try publicAccess(request)
        let bytes = try await bytes(request, body)
        var policies: [JSONValue] = []
        if !bytes.isEmpty {
            let root: XMLElement
            do { root = try XMLElement(parsing: bytes) } catch { throw .invalidXML(error.message) }
            guard root.name == "SignedIdentifiers", root.children.count <= Self.policiesMax else {
                throw .invalidXML("expected <SignedIdentifiers> with at most \(Self.policiesMax) of them.")
            }
            for element in root.children {
                let id = element.text("Id") ?? ""
                guard (1...64).contains(id.count) else { throw .xmlNode("Id", "it must have 1 to 64 characters.") }
                var policy: JSONObject = ["id": .string(id)]
                for (name, key) in [("Start", "start"), ("Expiry", "expiry")] {
                    guard let text = element["AccessPolicy"]?.text(name), !text.isEmpty else { continue }
                    guard BlobTime.parse(iso: text) != nil else {
                        throw .xmlNode(name, "it must be an ISO time in UTC.")
                    }
                    policy[key] = .string(text)
                }
                if let text = element["AccessPolicy"]?.text("Permission"), !text.isEmpty {
                    guard text.allSatisfy("racwdxltmeopiyf".contains) else {
                        throw .xmlNode("Permission", "it has letters that are no permissions.")
                    }
                    policy["permission"] = .string(text)
                }
                policies.append(.object(policy))
            }
        }
        let stored = policies
        let container = try await store.changeContainer(request.account, request.container, try request.conditions()) {
            $0.publicAccess = access
            $0.policies = stored
        }
        return BlobReply(200, stamp(container))
    }

    // MARK: - Leases

    func leaseAction(_ request: BlobRequest) throws(BlobError) -> LeaseRules.Action {
        let id = { (name: String) throws(BlobError) -> String in
            guard let text = request.header(name) else { throw .missingHeader(name) }
            return try Self.guid(name, text)
        }
        switch request.header("x-ms-lease-action")?.lowercased() {
        case "acquire":
            let text = request.header("x-ms-lease-duration") ?? ""
            guard let duration = Int(text), duration == -1 || (15...60).contains(duration) else {
                throw .invalidHeader("x-ms-lease-duration", text, "it must be -1 or from 15 to 60 seconds.")
            }
            let name = "x-ms-proposed-lease-id"
            var proposed: String?
            if let text = request.header(name) { proposed = try Self.guid(name, text) }
            return .acquire(duration: duration, proposed: proposed)
        case "renew": return .renew(try id("x-ms-lease-id"))
        case "change": return .change(try id("x-ms-lease-id"), proposed: try id("x-ms-proposed-lease-id"))
        case "release": return .release(try id("x-ms-lease-id"))
        case "break":
            let period = try request.number(header: "x-ms-lease-break-period")
            guard (0...60).contains(period ?? 0) else {
                throw .invalidHeader("x-ms-lease-break-period", String(period ?? 0), "it must be from 0 to 60 seconds.")
            }
            return .break(period: period.map(Int.init))
        case nil: throw .missingHeader("x-ms-lease-action")
        case let other?:
            throw .invalidHeader("x-ms-lease-action", other, "it must be acquire, renew, change, release or break.")
        }
    }

    private static func guid(_ name: String, _ text: String) throws(BlobError) -> String {
        let digits = text.filter { $0 != "-" && $0 != "{" && $0 != "}" }
        guard digits.count == 32, digits.allSatisfy(\.isHexDigit) else {
            throw .invalidHeader(name, text, "a lease id is a GUID.")
        }
        return text.lowercased()
    }

    /// The lease id of a lease call is its argument, not a condition.
    func leaseConditions(_ request: BlobRequest) throws(BlobError) -> AccessConditions {
        var conditions = try request.conditions()
        conditions.leaseID = nil
        return conditions
    }

    func leaseFields(_ outcome: LeaseRules.Outcome) -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        if let id = outcome.id { fields.append(("x-ms-lease-id", id)) }
        if let left = outcome.timeLeft { fields.append(("x-ms-lease-time", String(left))) }
        return fields
    }

    // MARK: - Listing

    private func listBlobs(_ request: BlobRequest) async throws(BlobError) -> BlobReply {
        let (limit, stated) = try limit(request)
        let includes = includes(request)
        let container = try await store.container(request.account, request.container)
        var marker: ListMarker?
        let sentMarker = request.parameter("marker") ?? ""
        if !sentMarker.isEmpty {
            marker = ListMarker(sentMarker)
            guard marker != nil else { throw .invalidQuery("marker", sentMarker, "it is none of this store.") }
        }
        let prefix = request.parameter("prefix") ?? ""
        let delimiter = request.parameter("delimiter") ?? ""
        let listing = BlobListing(
            container: container.id,
            prefix: prefix,
            delimiter: delimiter,
            includesSnapshots: includes.contains("snapshots"),
            includesUncommitted: includes.contains("uncommittedblobs"),
            limit: limit
        )
        let start = marker
        let page = try await store.look { try listing.page(after: start, in: $0) }
        var text = XMLText()
        let address = endpoint(request) + request.container
        text.open(
            "EnumerationResults",
            request.listsAddresses
                ? [("ContainerName", address)]
                : [("ServiceEndpoint", endpoint(request)), ("ContainerName", request.container)]
        )
        if !prefix.isEmpty { text.name("Prefix", prefix) }
        if !sentMarker.isEmpty { text.name("Marker", sentMarker) }
        text.leaf("MaxResults", optional: stated.map(String.init))
        if !delimiter.isEmpty { text.name("Delimiter", delimiter) }
        text.open("Blobs")
        let now = store.now
        for entry in page.entries {
            switch entry {
            case .prefix(let name):
                text.open("BlobPrefix")
                text.name("Name", name)
                text.close("BlobPrefix")
            case .blob(let blob):
                write(blob, request.listsAddresses ? address : nil, includes, now, to: &text)
            case .uncommitted(let name):
                text.open("Blob")
                text.name("Name", name)
                text.open("Properties")
                text.leaf("Content-Length", "0")
                text.leaf("BlobType", BlobType.block.rawValue)
                text.close("Properties")
                text.close("Blob")
            }
        }
        text.close("Blobs")
        text.leaf("NextMarker", page.next?.text ?? "")
        text.close("EnumerationResults")
        return .xml(text.text)
    }

    /// - Parameter address: of the container, where the blob's own is to be said.
    private func write(
        _ blob: BlobRecord,
        _ address: String?,
        _ includes: Set<String>,
        _ now: Double,
        to text: inout XMLText
    ) {
        text.open("Blob")
        text.name("Name", blob.name)
        if let address { text.leaf("Url", "\(address)/\(BlobLocation.encoded(blob.name))") }
        if !blob.snapshot.isEmpty { text.leaf("Snapshot", blob.snapshot) }
        text.open("Properties")
        text.leaf("Creation-Time", HTTPDate.text(seconds: Int(blob.created)))
        text.leaf("Last-Modified", HTTPDate.text(seconds: Int(blob.modified)))
        text.leaf("Etag", blob.etag)
        text.leaf("Content-Length", String(blob.length))
        text.leaf("Content-Type", blob.headers["Content-Type"]?.string ?? "application/octet-stream")
        for name in ["Content-Encoding", "Content-Language", "Content-MD5", "Cache-Control", "Content-Disposition"] {
            text.leaf(name, blob.headers[name]?.string ?? "")
        }
        if blob.type == .page { text.leaf("x-ms-blob-sequence-number", String(blob.sequenceNumber)) }
        text.leaf("BlobType", blob.type.rawValue)
        if blob.type == .block || blob.tier != nil {
            text.leaf("AccessTier", blob.tier ?? "Hot")
            if blob.tier == nil { text.leaf("AccessTierInferred", "true") }
            if let changed = blob.tierChanged {
                text.leaf("AccessTierChangeTime", HTTPDate.text(seconds: Int(changed)))
            }
        }
        if blob.snapshot.isEmpty {
            let state = LeaseRules.state(blob.lease, at: now)
            text.leaf("LeaseStatus", LeaseRules.status(blob.lease, at: now))
            text.leaf("LeaseState", state.rawValue)
            if state == .leased { text.leaf("LeaseDuration", blob.lease.duration < 0 ? "infinite" : "fixed") }
        }
        text.leaf("ServerEncrypted", "true")
        if includes.contains("copy"), let copy = blob.copy {
            text.leaf("CopyId", copy["id"]?.string ?? "")
            text.leaf("CopySource", copy["source"]?.string ?? "")
            text.leaf("CopyStatus", copy["status"]?.string ?? "")
            text.leaf("CopyProgress", copy["progress"]?.string ?? "")
            text.leaf("CopyCompletionTime", HTTPDate.text(seconds: Int(copy["completed"]?.double ?? 0)))
        }
        if blob.isSealed { text.leaf("Sealed", "true") }
        if !blob.tags.isEmpty { text.leaf("TagCount", String(blob.tags.members.count)) }
        text.close("Properties")
        if includes.contains("metadata") { self.write(blob.metadata, to: &text) }
        if includes.contains("tags"), !blob.tags.isEmpty {
            text.open("Tags")
            BlobTags.write(blob.tags, to: &text)
            text.close("Tags")
        }
        text.close("Blob")
    }
}
