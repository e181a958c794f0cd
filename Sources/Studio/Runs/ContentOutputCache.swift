import Blobs
import ResourceModel
import Store
import StudioModules

/// Outputs of nodes, kept on disk by the hash of what they came from.
///
/// The names stand in the store, so that an output of an earlier process is found again; the oldest go first when there are
/// too many.
struct ContentOutputCache: OutputCache {
    /// Outputs kept.
    static let entriesMax = 2000
    /// Bytes kept over all outputs: a disk must not fill with what can be computed again.
    static let bytesTotalMax = 4 << 30
    /// A larger output is computed again: it would push out many small ones.
    static let bytesMax = 256 << 20

    let store: any ResourceStore
    let content: ContentStore
    let workspace: Workspace

    private func id(_ hash: String) -> ResourceID { workspace.resource.child("outputs", hash) }

    func outputs(hash: String) async -> [PortValue]? {
        guard let entry = try? await store.get(id(hash)) else { return nil }
        var values: [PortValue] = []
        for name in (entry.properties["Contents"]?.array ?? []).compactMap(\.string) {
            // What cannot be read is computed again.
            guard let bytes = try? await content.load(name), let value = try? PortValueCodec.decode(bytes) else {
                return nil
            }
            values.append(value)
        }
        return values
    }

    func store(_ values: [PortValue], hash: String) async {
        var names: [JSONValue] = []
        var size = 0
        for value in values {
            let bytes = PortValueCodec.encode(value)
            size += bytes.count
            guard bytes.count <= Self.bytesMax, let name = try? await content.write(bytes) else { return }
            names.append(.string(name))
        }
        let write = ResourceWrite(
            id(hash),
            .put(properties: ["Contents": .array(names)], index: [String(size)], secrets: [])
        )
        // A cache that could not be written costs time later, nothing else.
        _ = try? await store.apply([write])
        await trim()
    }

    /// Forgets the oldest outputs; their bytes go when the next start collects what nobody names.
    private func trim() async {
        guard let entries = try? await store.index(type: "workspaces/outputs") else { return }
        var total = entries.reduce(0) { $0 + (Int($1.columns[0] ?? "") ?? 0) }
        var count = entries.count
        var forgotten: [ResourceWrite] = []
        for entry in entries.sorted(by: { $0.sequence < $1.sequence })
        where count > Self.entriesMax || total > Self.bytesTotalMax {
            count -= 1
            total -= Int(entry.columns[0] ?? "") ?? 0
            forgotten.append(ResourceWrite(entry.id, .delete))
        }
        if !forgotten.isEmpty { _ = try? await store.apply(forgotten) }
    }
}
