package import ResourceModel
package import Store

extension BlobStore {
    /// - Throws: 409 where one of that name is there.
    package func createContainer(
        _ account: String,
        _ name: String,
        metadata: JSONObject = JSONObject(),
        publicAccess: String? = nil
    ) async throws(BlobError) -> ContainerRecord {
        try BlobNames.check(container: name)
        let (etag, modified) = stamp()
        return try await change { transaction in
            guard try transaction.container(account, name) == nil else { throw BlobError.containerExists }
            var container = ContainerRecord(account: account, name: name, etag: etag, modified: modified)
            container.metadata = metadata
            container.publicAccess = publicAccess
            return try transaction.insert(container)
        }
    }

    package func container(
        _ account: String,
        _ name: String,
        _ conditions: AccessConditions = AccessConditions()
    ) async throws(BlobError) -> ContainerRecord {
        let now = now
        return try await look { transaction in
            let container = try Self.container(transaction, account, name)
            try conditions.checkLeaseForRead(container.lease, at: now, on: .container)
            return container
        }
    }

    func containers(
        _ account: String,
        prefix: String,
        from: String,
        limit: Int
    ) async throws(BlobError) -> [ContainerRecord] {
        try await look { try $0.containers(account, prefix: prefix, from: from, limit: limit) }
    }

    package func deleteContainer(
        _ account: String,
        _ name: String,
        _ conditions: AccessConditions = AccessConditions()
    ) async throws(BlobError) {
        let now = now
        try await change { transaction in
            let container = try Self.container(transaction, account, name)
            try conditions.check(etag: container.etag, modified: container.modified, for: .write)
            try conditions.checkLease(container.lease, at: now, on: .container)
            try transaction.delete(container)
        }
        // Its blobs go in small transactions, so that other writers do not wait for thousands of them.
        Task { await reap() }
    }

    /// Changes a container's own properties.
    ///
    /// A lease that is named must be the right one; none is needed.
    func changeContainer(
        _ account: String,
        _ name: String,
        _ conditions: AccessConditions,
        _ edit: @Sendable @escaping (inout ContainerRecord) -> Void
    ) async throws(BlobError) -> ContainerRecord {
        let (etag, modified) = stamp()
        return try await change { transaction in
            var container = try Self.container(transaction, account, name)
            try conditions.check(etag: container.etag, modified: container.modified, for: .write)
            try conditions.checkLeaseForRead(container.lease, at: modified, on: .container)
            edit(&container)
            container.etag = etag
            container.modified = modified
            try transaction.update(container)
            return container
        }
    }

    func leaseContainer(
        _ account: String,
        _ name: String,
        _ action: LeaseRules.Action,
        _ conditions: AccessConditions
    ) async throws(BlobError) -> (ContainerRecord, LeaseRules.Outcome) {
        let now = now
        return try await change { transaction in
            var container = try Self.container(transaction, account, name)
            try conditions.check(etag: container.etag, modified: container.modified, for: .write)
            let outcome = try LeaseRules.apply(action, to: &container.lease, at: now)
            try transaction.update(container)
            return (container, outcome)
        }
    }

    // MARK: - Account

    /// The account's document: its service properties.
    func account(_ name: String) async throws(BlobError) -> JSONObject {
        try await look { try $0.account(name) ?? JSONObject() }
    }

    /// - Parameter told: called in the change, so in the order of all changes.
    func setAccount(
        _ name: String,
        _ document: JSONObject,
        told: @Sendable @escaping () -> Void
    ) async throws(BlobError) {
        try await change { transaction in
            try transaction.setAccount(name, document)
            told()
        }
    }
}

/// The rules of names.
enum BlobNames {
    static func check(container name: String) throws(BlobError) {
        if ["$root", "$web", "$logs"].contains(name) { return }
        guard (3...63).contains(name.utf8.count) else {
            throw BlobError(
                400,
                "OutOfRangeInput",
                "The container name must be 3 to 63 characters long."
            )
        }
        let isValid =
            name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
            && !name.hasPrefix("-") && !name.hasSuffix("-") && !name.contains("--")
        guard isValid else {
            throw .invalidResourceName("a container name has lower-case letters, digits and single dashes.")
        }
    }

    static func check(blob name: String) throws(BlobError) {
        guard (1...1024).contains(name.unicodeScalars.count) else {
            throw .invalidResourceName("a blob name has 1 to 1,024 characters.")
        }
        guard !name.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
            throw .invalidResourceName("a blob name has no control characters.")
        }
    }
}
