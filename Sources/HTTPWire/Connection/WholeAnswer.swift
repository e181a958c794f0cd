package import NIOCore

/// An answer with all of its body, in one piece.
package struct WholeAnswer {
    package let status: Int
    /// Bytes of the head with its empty line.
    package let headCount: Int
    package let bytes: ByteBuffer

    package init(status: Int, headCount: Int, bytes: ByteBuffer) {
        self.status = status
        self.headCount = headCount
        self.bytes = bytes
    }
}
