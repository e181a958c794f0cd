import CAssets
import CZlib
import ResourceModel

/// What scripts/assets compiled into the binary, by its path, as `app.css`.
package struct Assets: Sendable {
    /// One file.
    package struct Asset: Sendable {
        package let name: String
        /// Part of its address, so that another content has another address.
        package let hash: String
        /// Where the file's bytes are, for as long as the process lives.
        fileprivate let place: Int
        package let isGzipped: Bool

        package var address: String { "/assets/\(hash)/\(name)" }

        /// The bytes as they are kept.
        package var bytes: [UInt8] {
            let asset = gatehouse_asset_at(place)
            return Array(UnsafeBufferPointer(start: asset.bytes, count: asset.length))
        }

        /// The bytes for whoever does not read gzip.
        package var plainBytes: [UInt8] {
            isGzipped ? Self.inflated(bytes, length: gatehouse_asset_at(place).plain_length) : bytes
        }

        /// - Parameter length: what comes out, as scripts/assets noted it.
        private static func inflated(_ bytes: [UInt8], length: Int) -> [UInt8] {
            var bytes = bytes
            var stream = z_stream()
            // 15 bits of window, and 16 says that the head is gzip's.
            guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
                return []
            }
            defer { inflateEnd(&stream) }
            return bytes.withUnsafeMutableBufferPointer { input in
                [UInt8](unsafeUninitializedCapacity: length) { output, count in
                    stream.next_in = input.baseAddress
                    stream.avail_in = uInt(input.count)
                    stream.next_out = output.baseAddress
                    stream.avail_out = uInt(length)
                    inflate(&stream, Z_FINISH)
                    count = length - Int(stream.avail_out)
                }
            }
        }
    }

    package static let compiled = Assets()

    private let byName: [String: Asset]

    private init() {
        var byName: [String: Asset] = [:]
        for place in 0..<gatehouse_assets_size() {
            let asset = gatehouse_asset_at(place)
            let name = String(cString: asset.name)
            byName[name] = Asset(
                name: name,
                hash: String(cString: asset.hash),
                place: place,
                isGzipped: asset.is_gzipped != 0
            )
        }
        self.byName = byName
    }

    package subscript(name: String) -> Asset? { byName[name] }

    /// Those whose paths begin so, in order.
    package func all(under prefix: String) -> [Asset] {
        byName.values.filter { $0.name.hasPrefix(prefix) }.sorted { $0.name < $1.name }
    }
}
