import CZlib

/// What is wrong with compressed bytes.
package struct GzipError: Error, Sendable, Equatable {
    package let message: String
}

/// Inflates gzip (RFC 1952) as the bytes come, one member after another, as `gzip -d` does.
///
/// zlib's state is plain memory: one task uses it, call after call, on whatever thread.
package final class GunzipStream: @unchecked Sendable {
    /// Bytes that one call may give: a piece that holds a thousandfold takes no memory at once.
    private static let outputBytesMax = 1 << 20

    private var stream = z_stream()
    private var isOpen = false
    private var isInMember = false
    private var sawMember = false

    package init() {}

    deinit { if isOpen { inflateEnd(&stream) } }

    /// - Throws: `GzipError` when the last member is not whole.
    package func finish() throws(GzipError) {
        guard sawMember, !isInMember else { throw GzipError(message: "The gzip data ends before its end.") }
    }

    /// Inflates the next bytes.
    ///
    /// - Parameter input: not empty.
    /// - Returns: what came of it, and how many bytes of the input were used.
    package func inflate(_ input: ArraySlice<UInt8>) throws(GzipError) -> (output: [UInt8], used: Int) {
        if !isInMember {
            // Zeros may pad what stands behind a member.
            if sawMember, input.first == 0 { return ([], 1) }
            try begin()
        }
        var status = Z_OK
        var used = 0
        let output = input.withUnsafeBufferPointer { raw in
            [UInt8](unsafeUninitializedCapacity: Self.outputBytesMax) { buffer, count in
                // zlib takes a mutable pointer and does not write there.
                stream.next_in = UnsafeMutablePointer(mutating: raw.baseAddress)
                stream.avail_in = UInt32(raw.count)
                stream.next_out = buffer.baseAddress
                stream.avail_out = UInt32(Self.outputBytesMax)
                status = CZlib.inflate(&stream, Z_NO_FLUSH)
                used = raw.count - Int(stream.avail_in)
                count = Self.outputBytesMax - Int(stream.avail_out)
            }
        }
        switch status {
        case Z_STREAM_END: isInMember = false
        case Z_OK, Z_BUF_ERROR: break
        default: throw GzipError(message: "The gzip data is damaged.")
        }
        guard used > 0 || !output.isEmpty || status == Z_STREAM_END else {
            throw GzipError(message: "The gzip data is damaged.")
        }
        return (output, used)
    }

    private func begin() throws(GzipError) {
        // 16 asks for gzip's own head and checksum.
        let status =
            isOpen
            ? inflateReset(&stream)
            : inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard status == Z_OK else { throw GzipError(message: "There is no memory to inflate.") }
        isOpen = true
        isInMember = true
        sawMember = true
    }
}

/// Whole members of gzip; several after one another are a gzip file as well.
package enum Gzip {
    /// zlib's own middle between time and size.
    private static let level: Int32 = 6

    package static func member(_ bytes: [UInt8]) throws(GzipError) -> [UInt8] {
        var stream = z_stream()
        let status = deflateInit2_(
            &stream,
            level,
            Z_DEFLATED,
            15 + 16,
            8,
            Z_DEFAULT_STRATEGY,
            ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size)
        )
        guard status == Z_OK else { throw GzipError(message: "There is no memory to compress.") }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(bytes.count)))
        var end = Z_OK
        let output = bytes.withUnsafeBufferPointer { raw in
            [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
                stream.next_in = UnsafeMutablePointer(mutating: raw.baseAddress)
                stream.avail_in = UInt32(raw.count)
                stream.next_out = buffer.baseAddress
                stream.avail_out = UInt32(bound)
                end = deflate(&stream, Z_FINISH)
                count = bound - Int(stream.avail_out)
            }
        }
        guard end == Z_STREAM_END else { throw GzipError(message: "The bytes could not be compressed.") }
        return output
    }
}
