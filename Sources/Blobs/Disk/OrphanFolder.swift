import Foundation
import ResourceModel

#if canImport(Glibc)
import Glibc
#endif

/// Files that a start found and no database named: kept aside for a time, one folder for each start that found some.
///
/// After a crash such files are rubbish; after a restore of an older database they are what the newer one named. A start cannot
/// tell the two apart, so it removes neither.
package struct OrphanFolder: Sendable {
    /// What one start put aside.
    package struct Batch: Sendable {
        /// The time of the start, as in `20261129T000208Z`; it names the batch.
        package let name: String
        package let files: [String]
    }

    static let name = "orphans"

    private let parent: String
    private let path: String
    private let files: any FileLayer

    /// - Parameter parent: the folder that the files come from, so that moving one stays within its disk.
    package init(of parent: String, files: any FileLayer = SystemFileLayer()) {
        self.parent = parent
        path = "\(parent)/\(Self.name)"
        self.files = files
    }

    /// What is there, the oldest first.
    package func batches() throws(FileLayerError) -> [Batch] {
        guard try files.list(parent).contains(Self.name) else { return [] }
        var batches: [Batch] = []
        for name in try files.list(path).sorted() where Self.time(of: name) != nil {
            batches.append(Batch(name: name, files: try files.list("\(path)/\(name)").sorted()))
        }
        return batches
    }

    /// Puts files aside.
    ///
    /// - Parameters:
    ///   - found: the files, by the folders that they are in, relative to the parent and empty for itself.
    ///   - now: seconds since 1970.
    /// - Returns: how many were put aside. A full disk leaves the others where they are, for the next start.
    func take(_ found: [(folder: String, file: String)], now: Double) throws(FileLayerError) -> Int {
        guard !found.isEmpty else { return 0 }
        let batch = "\(path)/\(Self.batchName(now))"
        var count = 0
        do throws(FileLayerError) {
            try files.makeFolder(path)
            try files.makeFolder(batch)
            for (folder, file) in found {
                let location = folder.isEmpty ? parent : "\(parent)/\(folder)"
                try files.rename("\(location)/\(file)", to: "\(batch)/\(file)")
                count += 1
            }
            try files.syncFolder(batch)
            try files.syncFolder(path)
            try files.syncFolder(parent)
        } catch {
            guard error.isFull else { throw error }
        }
        return count
    }

    /// Puts a file back.
    ///
    /// - Parameter folder: where it belongs, relative to the parent; is made where it is missing.
    /// - Returns: false where another file has the name by now; that one stays.
    @discardableResult
    package func restore(_ file: String, of batch: String, to folder: String) throws(FileLayerError) -> Bool {
        let location = folder.isEmpty ? parent : "\(parent)/\(folder)"
        if !folder.isEmpty { try files.makeFolder(location) }
        guard try !files.list(location).contains(file) else { return false }
        try files.rename("\(path)/\(batch)/\(file)", to: "\(location)/\(file)")
        try files.syncFolder(location)
        return true
    }

    /// Removes what was put aside before a time; called while the server runs, never at its start.
    ///
    /// - Returns: how many files were removed.
    package func removeBatches(before time: Double) throws(FileLayerError) -> Int {
        var count = 0
        for batch in try batches() where Self.time(of: batch.name) ?? .infinity < time {
            for file in batch.files {
                try files.remove("\(path)/\(batch.name)/\(file)")
                count += 1
            }
            try files.removeFolder("\(path)/\(batch.name)")
        }
        return count
    }

    /// Removes folders of batches in which nothing is left.
    package func removeEmptyBatches() throws(FileLayerError) {
        for batch in try batches() where batch.files.isEmpty { try files.removeFolder("\(path)/\(batch.name)") }
    }

    private static func batchName(_ now: Double) -> String {
        BlobTime.iso(now).filter { $0 != "-" && $0 != ":" }
    }

    /// When a batch was put aside, in seconds since 1970; nil for a name that is none of ours.
    package static func time(of name: String) -> Double? {
        let digits = Array(name)
        guard digits.count == 16, digits[8] == "T", digits[15] == "Z" else { return nil }
        let text =
            "\(String(digits[0..<4]))-\(String(digits[4..<6]))-\(String(digits[6..<8]))T"
            + "\(String(digits[9..<11])):\(String(digits[11..<13])):\(String(digits[13..<15]))Z"
        return BlobTime.parse(iso: text)
    }
}
