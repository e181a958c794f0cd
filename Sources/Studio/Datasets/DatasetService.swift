package import Blobs
import Crypto
package import DataTables
import Foundation
package import ResourceModel
package import Store
import StudioModules

/// Datasets of a workspace: bytes at rest as they were given, read into tables when they are used.
package struct DatasetService: Sendable {
    /// Bytes of one dataset.
    ///
    /// They are read whole into memory; the batch service reads without that bound.
    package static let bytesMax = 1 << 30
    package static let listMax = 10_000

    private let store: any ResourceStore
    private let content: ContentStore
    private let blobs: BlobStore
    private let references: BlobReferences
    private let accounts: StorageAccounts
    private let workspace: Workspace

    /// - Parameters:
    ///   - content: where datasets of the first version rest.
    ///   - account: the storage accounts, of which the workspace's own holds the datasets.
    package init(
        store: any ResourceStore,
        content: ContentStore,
        blobs: BlobStore,
        references: BlobReferences,
        account accounts: StorageAccounts,
        workspace: Workspace
    ) {
        self.store = store
        self.content = content
        self.blobs = blobs
        self.references = references
        self.accounts = accounts
        self.workspace = workspace
    }

    /// Creates a dataset; its text is read once, so that what cannot be read is refused at once.
    ///
    /// - Parameter replacing: whether one of that name may be overwritten.
    package func create(
        name: String,
        dataTypeID: String,
        description: String,
        bytes: [UInt8],
        replacing: Bool
    ) async throws -> Resource {
        guard (1...256).contains(name.count) else {
            throw APIError.validation("Name", "The name must be 1 to 256 characters.")
        }
        let table: DataTable
        do {
            table = try DelimitedTable.read(bytes, format: try TableFormat(dataTypeID: dataTypeID))
        } catch { throw APIError.badRequest("The dataset \"\(name)\" could not be read: \(error.description)") }
        let before = try await find(name)
        guard before == nil || replacing else {
            throw APIError.conflict("A dataset named \"\(name)\" exists already.")
        }
        let id = before?.id ?? workspace.dataset(Identifier.hex32())
        let contentName = Identifier.hex(SHA256.hash(data: bytes))
        // Named by its bytes as well, so that readers of the former ones are not disturbed.
        let place = try await place("\(id.name)/\(contentName)")
        try await blobs.write(bytes, to: place, contentType: "text/plain")
        let properties: JSONObject = [
            "Name": .string(name), "DataTypeId": .string(dataTypeID), "Description": .string(description),
            "Size": .int(bytes.count), "Content": .string(contentName), "Blob": .string(place.name),
            "RowCount": .int(table.rowCount),
            "Schema": table.schema.json, "CreatedDate": .string(Date().formatted(.iso8601)), "Owner": "local",
        ]
        let write = ResourceWrite(
            id,
            .put(properties: properties, index: [name.lowercased(), contentName], secrets: []),
            condition: before.map { .etag($0.etag) } ?? .absent,
            requirements: [
                .exists(workspace.resource),
                .unique(type: "workspaces/datasets", column: 0, value: name.lowercased(), field: "Name"),
            ]
        )
        do {
            guard let resource = try await store.apply([write]).first else { throw APIError.notFound("No dataset.") }
            if let old = before?.properties["Blob"]?.string, old != place.name {
                try? await blobs.deleteBlob(try await self.place(old), .include)
            }
            return resource
        } catch let error as StoreError {
            throw APIError.conflict("A dataset named \"\(name)\" was written at the same time: \(error)")
        }
    }

    package func list() async throws -> [Resource] {
        try await store.list(ResourceQuery(parent: workspace.resource, type: "datasets", limit: Self.listMax))
    }

    /// The dataset of that id, or of that name without case.
    package func find(_ word: String) async throws -> Resource? {
        if Identifier.isHex32(word), let found = try await store.get(workspace.dataset(word)) { return found }
        var query = ResourceQuery(parent: workspace.resource, type: "datasets", limit: 1)
        query.matches = [(0, word.lowercased())]
        return try await store.list(query).first
    }

    package func get(_ word: String) async throws -> Resource {
        guard let found = try await find(word) else {
            throw APIError.notFound("The dataset \"\(word)\" was not found.")
        }
        return found
    }

    package func delete(_ word: String) async throws {
        let resource = try await get(word)
        _ = try await store.apply([ResourceWrite(resource.id, .delete)])
        // The name is gone; bytes that stay because of a failure here are found by `removeUnnamed`.
        if let blob = resource.properties["Blob"]?.string {
            try? await blobs.deleteBlob(try await place(blob), .include)
        }
    }

    /// Removes the bytes of datasets that are no more, once that was found some time ago: after a restore of an older configuration
    /// they may be named again.
    ///
    /// - Returns: how many were removed.
    package func removeUnnamed(keptSeconds: Double) async throws -> Int {
        var known: Set<String> = []
        for entry in try await store.index(type: "workspaces/datasets") {
            if let blob = try await store.get(entry.id)?.properties["Blob"]?.string { known.insert(blob) }
        }
        return try await blobs.removeUnneeded(
            try await account(),
            Self.container,
            isOurs: Self.isOurs,
            needed: known,
            keptSeconds: keptSeconds
        )
    }

    /// Whether a blob's name is one that `create` gives; what people put into the container themselves is theirs.
    private static func isOurs(_ name: String) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2 && Identifier.isHex32(String(parts[0])) && parts[1].utf8.count == 2 * SHA256.byteCount
            && parts[1].allSatisfy(\.isHexDigit)
    }

    package func bytes(_ resource: Resource) async throws -> [UInt8] {
        guard let blob = resource.properties["Blob"]?.string else {
            return try await content.load(resource.properties["Content"]?.string ?? "")
        }
        return try await blobs.bytes(try await place(blob), max: Self.bytesMax)
    }

    /// Creates a dataset of a blob or an address that the caller names.
    package func importDataset(
        name: String,
        dataTypeID: String,
        description: String,
        from reference: BlobReferences.Reference,
        replacing: Bool
    ) async throws -> Resource {
        let bytes = try await references.read(reference, bytesMax: Self.bytesMax)
        return try await create(
            name: name,
            dataTypeID: dataTypeID,
            description: description,
            bytes: bytes,
            replacing: replacing
        )
    }

    /// Writes a dataset's bytes to a blob that the caller names.
    package func exportDataset(_ word: String, to reference: BlobReferences.Reference) async throws {
        try await references.write(try await bytes(try await get(word)), to: reference, contentType: "text/plain")
    }

    /// The container of the workspace's account that holds its datasets.
    package static let container = "experimentdatasets"

    private func account() async throws -> String {
        guard let account = try await accounts.list(workspace.resource).first else {
            throw APIError.notFound("The workspace has no storage account.")
        }
        return account.id.name
    }

    private func place(_ name: String) async throws -> BlobPlace {
        BlobPlace(account: try await account(), container: Self.container, name: name)
    }

    /// The table of a dataset.
    ///
    /// - Throws: `ModuleError` 0018 when there is none of that name or its bytes are damaged.
    package func table(_ word: String) async throws -> DataTable {
        guard let resource = try await find(word) else {
            throw ModuleError(.invalidDataset, "The dataset \"\(word)\" was not found.")
        }
        do {
            let format = try TableFormat(dataTypeID: resource.properties["DataTypeId"]?.string ?? "")
            return try DelimitedTable.read(try await bytes(resource), format: format)
        } catch let error as TableError {
            throw ModuleError(.invalidDataset, "The dataset \"\(word)\" could not be read: \(error.description)")
        } catch let error where error as? ContentStore.Failure != nil || error is BlobError {
            throw ModuleError(.invalidDataset, "The bytes of the dataset \"\(word)\" cannot be read from the disk.")
        }
    }
}
