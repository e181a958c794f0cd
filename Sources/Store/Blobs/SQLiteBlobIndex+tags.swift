import Foundation
import GRDB
import ResourceModel

extension SQLiteBlobIndex {
    /// The tags of blobs, and of no snapshots, to be found by; they stand in the blobs' documents as well.
    static let tagMigration = SQLiteFile.Migration(
        """
        CREATE TABLE blobTags (
            container INTEGER NOT NULL,
            tag TEXT NOT NULL,
            value TEXT NOT NULL,
            name TEXT NOT NULL,
            blob INTEGER NOT NULL,
            PRIMARY KEY (container, tag, value, name)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX blobTags_blob ON blobTags (blob, tag);
        INSERT INTO blobTags (container, tag, value, name, blob)
            SELECT blobs.container, tags.key, tags.value, blobs.name, blobs.id
            FROM blobs, json_each(blobs.document, '$.tags') AS tags WHERE blobs.snapshot = '~';
        """
    )
}

extension SQLiteBlobTransaction {
    /// A value's bounds: from the first, and before the second.
    private static func bounds(_ condition: TagQuery.Condition) -> (from: Data, before: Data) {
        var from = Data()
        if let atLeast = condition.atLeast { from = Data(atLeast.utf8) }
        if let above = condition.above.map(next), from.lexicographicallyPrecedes(above) { from = above }
        var before = Data([0xFF])
        if let atMost = condition.atMost { before = next(after: atMost) }
        if let below = condition.below.map({ Data($0.utf8) }), below.lexicographicallyPrecedes(before) {
            before = below
        }
        return (from, before)
    }

    func blobs(tagged query: TagQuery) throws -> [BlobRecord] {
        // The index is entered by a single value where one is asked for: its names are in order then.
        let sorted = query.conditions.sorted { $0.only != nil && $1.only == nil }
        guard let first = sorted.first else { return [] }
        var sql = """
            SELECT blobs.id, blobs.container, blobs.name, blobs.snapshot, blobs.document
            FROM blobTags JOIN blobs ON blobs.id = blobTags.blob
            WHERE blobTags.container = ? AND blobTags.tag = ? AND blobTags.name > ? AND blobTags.value
            """
        var arguments: StatementArguments = [query.container, first.tag, query.after]
        if let only = first.only {
            sql += " = ?"
            arguments += [only]
        } else {
            let (from, before) = Self.bounds(first)
            sql += " >= CAST(? AS TEXT) AND blobTags.value < CAST(? AS TEXT)"
            arguments += [from, before]
        }
        for condition in sorted.dropFirst() {
            let (from, before) = Self.bounds(condition)
            sql += """
                 AND EXISTS (SELECT 1 FROM blobTags AS other WHERE other.blob = blobTags.blob AND other.tag = ?
                AND other.value >= CAST(? AS TEXT) AND other.value < CAST(? AS TEXT))
                """
            arguments += [condition.tag, from, before]
        }
        return try rows(sql + " ORDER BY blobTags.name LIMIT ?", arguments + [query.limit]).map(blob)
    }

    func insertTags(_ blob: BlobRecord) throws {
        guard blob.snapshot.isEmpty else { return }
        for (tag, value) in blob.tags.members {
            try execute(
                "INSERT INTO blobTags (container, tag, value, name, blob) VALUES (?, ?, ?, ?, ?)",
                [blob.container, tag, value.string ?? "", blob.name, blob.id]
            )
        }
    }

    func deleteTags(_ blob: Int64) throws { try execute("DELETE FROM blobTags WHERE blob = ?", [blob]) }

    func updateWithTags(_ blob: BlobRecord) throws {
        try update(blob)
        try deleteTags(blob.id)
        try insertTags(blob)
    }
}
