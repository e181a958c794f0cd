import BlobClient
import ResourceModel

extension XMLText {
    /// Writes a name that clients gave: one that XML cannot write is percent-encoded, and said to be (REST reference, List Blobs).
    mutating func name(_ element: String, _ name: String) {
        guard !name.unicodeScalars.allSatisfy(XMLText.hasForm) else { return leaf(element, name) }
        open(element, [("Encoded", "true")])
        raw(XMLText.escaped(RemoteBlobs.encoded(name)))
        close(element)
    }
}
