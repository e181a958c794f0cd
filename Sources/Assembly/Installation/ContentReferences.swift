import ResourceModel
import Store

/// Which contents the stored resources name; all others are left from writes that did not end, or from what was deleted.
enum ContentReferences {
    /// The properties that name contents, by type.
    private static let properties = [
        "workspaces/datasets": "Content", "workspaces/outputs": "Contents", "workspaces/webservices": "frozen",
    ]

    static func all(_ store: any ResourceStore) async throws -> Set<String> {
        var names: Set<String> = []
        for (type, property) in properties {
            for entry in try await store.index(type: type) {
                switch try await store.get(entry.id)?.properties[property] {
                case .string(let name)?: names.insert(name)
                case .array(let list)?: names.formUnion(list.compactMap(\.string))
                default: break
                }
            }
        }
        return names
    }
}
