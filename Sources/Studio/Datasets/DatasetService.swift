package import Blobs
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
    private let workspace: Workspace

    package init(store: any ResourceStore, content: ContentStore, workspace: Workspace) {
        self.store = store
        self.content = content
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
        let contentName = try await content.write(bytes)
        let id = before?.id ?? workspace.dataset(Identifier.hex32())
        let properties: JSONObject = [
            "Name": .string(name), "DataTypeId": .string(dataTypeID), "Description": .string(description),
            "Size": .int(bytes.count), "Content": .string(contentName), "RowCount": .int(table.rowCount),
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
    }

    package func bytes(_ resource: Resource) async throws -> [UInt8] {
        try await content.load(resource.properties["Content"]?.string ?? "")
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
        } catch ContentStore.Failure.damaged {
            throw ModuleError(.invalidDataset, "The bytes of the dataset \"\(word)\" are damaged on disk.")
        }
    }
}
