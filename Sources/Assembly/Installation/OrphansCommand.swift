import ArgumentParser
import Blobs
import Foundation
import ResourceModel

/// Shows and brings back files that starts put aside because no database named them.
struct OrphansCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "orphans",
        abstract: "List and restore files of contents that a start found and no database named.",
        discussion: """
            A start moves such files to `orphans` beside the others, and the running server removes them after the days of `orphan-days`. \
            A start brings back by itself what a database names again, as after a restore.
            """,
        subcommands: [List.self, Restore.self]
    )

    /// The folders that have orphans, by the word that commands call them.
    fileprivate static func folders(_ data: String) -> [(word: String, folder: OrphanFolder)] {
        ["blobs", "content"].compactMap { word in
            let path = "\(data)/\(word)"
            return FileManager.default.fileExists(atPath: path) ? (word, OrphanFolder(of: path)) : nil
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List what was put aside, the oldest first.")

        @OptionGroup var folder: DataFolderOption
        @Flag(help: "Answer as JSON.") var json = false

        func run() async throws {
            var lines: [String] = []
            var documents: [JSONValue] = []
            for (word, orphans) in OrphansCommand.folders(folder.path) {
                for batch in try orphans.batches() {
                    for file in batch.files {
                        let size =
                            try? FileManager.default.attributesOfItem(
                                atPath: "\(folder.path)/\(word)/orphans/\(batch.name)/\(file)"
                            )[.size] as? Int
                        lines.append("\(batch.name)  \(word)/\(file)  \(size ?? 0)")
                        documents.append([
                            "since": .string(batch.name), "name": .string("\(word)/\(file)"), "bytes": .int(size ?? 0),
                        ])
                    }
                }
            }
            if json { return print(JSONValue.array(documents).indented) }
            print(lines.isEmpty ? "Nothing was put aside." : lines.joined(separator: "\n"))
        }
    }

    struct Restore: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Bring files back to where they were.",
            discussion: "What no database names by the next start is put aside again."
        )

        @OptionGroup var folder: DataFolderOption
        @Argument(help: "Names as `orphans list` shows them: a file (blobs/1f), or a time for all that was found then.")
        var names: [String] = []
        @Flag(help: "Bring back all.") var all = false

        func validate() throws {
            guard all != !names.isEmpty else { throw ValidationError("Name what to restore, or give --all.") }
        }

        func run() async throws {
            var rest = Set(names)
            var count = 0
            for (word, orphans) in OrphansCommand.folders(folder.path) {
                for batch in try orphans.batches() {
                    for file in batch.files
                    where all || !rest.isDisjoint(with: ["\(word)/\(file)", batch.name])
                        || names.contains(batch.name)
                    {
                        rest.subtract(["\(word)/\(file)", batch.name])
                        let home = word == "blobs" ? ContentFiles.folderName(ofFile: file) : ""
                        guard let home else { continue }
                        if try orphans.restore(file, of: batch.name, to: home) {
                            count += 1
                        } else {
                            print("\(word)/\(file) stays: another file has its name.")
                        }
                    }
                }
                try orphans.removeEmptyBatches()
            }
            guard rest.isEmpty else {
                throw ValidationError("Nothing is put aside under \(rest.sorted().joined(separator: ", ")).")
            }
            print("\(count) files were brought back.")
        }
    }
}
