import Blobs
import DataTables
import ResourceModel
import Store

/// A batch job as it rests in the queue.
struct BatchJob: Sendable {
    static let kind = "batchJob"

    /// A blob of a job; what opens another's account is sealed.
    struct Blob: Sendable {
        /// In our own store.
        let place: BlobPlace?
        /// The reference as the caller wrote it, sealed; nil for our own store.
        let sealed: [UInt8]?
        /// The reference's location, for messages.
        let shown: String
        let file: TableFile
    }

    struct Port: Sendable {
        let name: String
        let blob: Blob
    }

    let inputs: [Port]
    let outputs: [Port]
    /// GlobalParameters as they were given.
    let parameters: JSONObject
    /// Whether rows that cannot be read are set aside.
    let skipsBad: Bool

    var json: JSONValue {
        [
            "inputs": .array(inputs.map(\.json)), "outputs": .array(outputs.map(\.json)),
            "parameters": .object(parameters), "skipsBad": .bool(skipsBad),
        ]
    }

    init(inputs: [Port], outputs: [Port], parameters: JSONObject, skipsBad: Bool) {
        self.inputs = inputs
        self.outputs = outputs
        self.parameters = parameters
        self.skipsBad = skipsBad
    }

    init(json: JSONValue) {
        inputs = (json["inputs"]?.array ?? []).compactMap(Port.init)
        outputs = (json["outputs"]?.array ?? []).compactMap(Port.init)
        parameters = json["parameters"]?.object ?? JSONObject()
        skipsBad = json["skipsBad"]?.bool ?? false
    }
}

extension BatchJob.Port {
    var json: JSONValue {
        var object: JSONObject = ["name": .string(name), "shown": .string(blob.shown)]
        if let place = blob.place {
            object["account"] = .string(place.account)
            object["container"] = .string(place.container)
            object["blob"] = .string(place.name)
        }
        if let sealed = blob.sealed { object["sealed"] = .string(Identifier.hex(sealed)) }
        return .object(object)
    }

    init?(json: JSONValue) {
        guard let name = json["name"]?.string, let shown = json["shown"]?.string,
            let file = TableFile(fileName: shown)
        else { return nil }
        var place: BlobPlace?
        if let account = json["account"]?.string, let container = json["container"]?.string,
            let blob = json["blob"]?.string
        {
            place = BlobPlace(account: account, container: container, name: blob)
        }
        let sealed = json["sealed"]?.string.flatMap(Self.bytes(hex:))
        self.init(name: name, blob: .init(place: place, sealed: sealed, shown: shown, file: file))
    }

    private static func bytes(hex: String) -> [UInt8]? {
        let digits = hex.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == hex.utf8.count, digits.count % 2 == 0 else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
