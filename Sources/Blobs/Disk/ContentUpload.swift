package import NIOCore
import Store

/// A body on its way into contents; used by one request, call after call.
package final class ContentUpload: Sendable {
    /// What a body became.
    struct Result: Sendable {
        let contents: [ContentRecord]
        let length: Int64

        /// The extents that these contents are, from a place of a blob on.
        func extents(at start: Int64 = 0, block: String? = nil, ordinal: Int = 0) -> [Extent] {
            var place = start
            return contents.map { content in
                defer { place += content.length }
                return Extent(start: place, length: content.length, content: content.id, block: block, ordinal: ordinal)
            }
        }
    }

    /// The content that is being written.
    ///
    /// Only one call at a time touches it, since a request awaits each before the next.
    private final class Draft: @unchecked Sendable {
        var done: [ContentRecord] = []
        var id: Int64 = 0
        var file: (any WritableFile)?
        var small: [UInt8] = []
        var length: Int64 = 0
        var total: Int64 = 0
        var checksums = BlockChecksums()
        var md5: StreamMD5?
    }

    private let files: ContentFiles
    private let draft = Draft()
    private let isBackground: Bool

    /// - Parameter inBackground: whether only a job waits for it.
    package init(_ files: ContentFiles, withMD5: Bool, inBackground: Bool = false) {
        self.files = files
        isBackground = inBackground
        if withMD5 { draft.md5 = StreamMD5() }
    }

    /// Bytes so far.
    var length: Int64 { draft.total }
    /// Of all bytes so far, where it was asked for.
    var md5: [UInt8]? { draft.md5?.finalize() }

    package func append(_ pieces: [ByteBuffer]) async throws(ContentFiles.Failure) {
        let count = pieces.reduce(0) { $0 + $1.readableBytes }
        // What stays in memory needs no thread of the disk.
        if draft.file == nil, draft.done.isEmpty, draft.small.count + count <= ContentFiles.inlineBytesMax {
            for piece in pieces {
                piece.withUnsafeReadableBytes { raw in
                    draft.md5?.update(raw)
                    draft.small.append(contentsOf: raw)
                }
            }
            draft.total += Int64(count)
            return
        }
        try await files.onDisk(inBackground: isBackground) { [self] () throws(ContentFiles.Failure) in
            if draft.file == nil, !draft.small.isEmpty {
                let small = ByteBuffer(bytes: draft.small)
                draft.small = []
                try small.withUnsafeReadableBytes { raw throws(ContentFiles.Failure) in try write(raw) }
            }
            for piece in pieces {
                try piece.withUnsafeReadableBytes { raw throws(ContentFiles.Failure) in
                    draft.md5?.update(raw)
                    try write(raw)
                }
                draft.total += Int64(piece.readableBytes)
            }
        }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws(ContentFiles.Failure) {
        var rest = bytes
        while !rest.isEmpty {
            // What a job writes by the gigabyte must not push out of memory what others read.
            if draft.length == ContentFiles.contentBytesMax { try closeFile(leavesMemory: isBackground) }
            if draft.file == nil {
                draft.id = files.makeID()
                draft.file = try files.create(draft.id)
            }
            let step = isBackground ? min(rest.count, ContentFiles.backgroundStepBytes) : rest.count
            let room = Int(min(Int64(step), ContentFiles.contentBytesMax - draft.length))
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(room))
            do throws(FileLayerError) { try draft.file?.append(part) } catch { throw .file(error) }
            draft.checksums.add(part)
            draft.length += Int64(room)
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(room))
            if isBackground { BackgroundPace.wait() }
        }
    }

    /// Brings the current file's bytes to the disk.
    private func closeFile(leavesMemory: Bool = false) throws(ContentFiles.Failure) {
        guard let file = draft.file else { return }
        do throws(FileLayerError) { try file.sync() } catch { throw .file(error) }
        if leavesMemory { file.leaveMemory() }
        file.close()
        draft.file = nil
        draft.done.append(
            ContentRecord(id: draft.id, length: draft.length, checksums: draft.checksums.finish(), bytes: nil)
        )
        draft.length = 0
        draft.checksums = BlockChecksums()
    }

    /// Makes everything durable; the index may name it afterwards.
    func finish() async throws(ContentFiles.Failure) -> Result {
        if draft.file != nil {
            try await files.onDisk(inBackground: isBackground) { [self] () throws(ContentFiles.Failure) in
                try closeFile()
            }
        }
        if !draft.small.isEmpty {
            var checksums = BlockChecksums()
            draft.small.withUnsafeBytes { checksums.add($0) }
            draft.done.append(
                ContentRecord(
                    id: files.makeID(),
                    length: Int64(draft.small.count),
                    checksums: checksums.finish(),
                    bytes: draft.small
                )
            )
            draft.small = []
        }
        // One flush serves the names of all files of a folder.
        if let last = draft.done.last(where: { $0.bytes == nil }),
            let first = draft.done.first(where: { $0.bytes == nil })
        {
            try await files.syncName(of: first.id)
            if last.id != first.id { try await files.syncName(of: last.id) }
        }
        return Result(contents: draft.done, length: draft.total)
    }

    /// Removes what was written; nothing of it was ever named.
    package func abort() {
        draft.file?.close()
        let ids = draft.done.filter { $0.bytes == nil }.map(\.id) + (draft.file == nil ? [] : [draft.id])
        draft.file = nil
        draft.done = []
        files.discardUnnamed(ids)
    }
}
