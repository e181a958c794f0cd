import Policies
import ResourceModel
import Store

/// A resource as it stands in a configuration that is kept as files: what its owner decides, and secrets by reference only.
struct ConfigurationDocument: Sendable, Equatable {
    /// In the place of a secret's text.
    static let referenceMember = "secretRef"
    /// Of the service itself: who publishes, and its tags.
    private static let serviceFields = ["publisherName", "publisherEmail", "notificationSenderEmail", "tags"]

    let id: ResourceID
    var properties: JSONObject

    /// `/namedValues/key#value`.
    static func reference(_ id: ResourceID, _ slot: String) -> String { "\(id.description)#\(slot)" }

    init(id: ResourceID, properties: JSONObject) {
        self.id = id
        self.properties = properties
    }

    /// What is stored, without what follows from the rest or is only read.
    init(_ stored: StoredDocument, _ type: ResourceType) {
        id = stored.resource.id
        properties = JSONObject()
        let given = stored.resource.properties
        for rule in type.properties where !rule.isReadOnly {
            guard let value = given[rule.name] else { continue }
            properties[rule.name] = value == SealedRules.sealed ? Self.referred(id, rule.name) : value
        }
        for rule in type.secrets where stored.slots.contains(rule.property) && properties[rule.property] == nil {
            properties[rule.property] = Self.referred(id, rule.property)
        }
        // Documents of policies are kept as people write them.
        guard let text = properties["value"]?.string, given["format"]?.string == "xml", Self.isPolicy(type) else {
            return
        }
        properties["value"] = .string(PolicyFormat.raw(text))
        properties["format"] = "rawxml"
    }

    /// The service itself.
    init(service: Resource) {
        id = .service
        properties = JSONObject()
        for field in Self.serviceFields { properties[field] = service.properties[field] }
    }

    private static func referred(_ id: ResourceID, _ slot: String) -> JSONValue {
        [referenceMember: .string(reference(id, slot))]
    }

    static func isPolicy(_ type: ResourceType) -> Bool {
        type.path.hasSuffix("policies") || type.path == ResourceType.policyFragment.path
    }

    var json: JSONValue { ["id": .string(id.description), "properties": .object(properties)] }

    /// What a PUT is given, with the texts of the secrets that are known; one that is not known stays as it is.
    func given(_ type: ResourceType, _ secrets: [String: String], _ before: Resource?) throws(APIError) -> JSONObject {
        var result = JSONObject()
        for member in properties.members {
            guard let reference = member.value[Self.referenceMember]?.string else {
                result[member.name] = member.value
                continue
            }
            let isSlot = type.secrets.contains { $0.property == member.name }
            if let text = secrets[reference] {
                do { result[member.name] = isSlot ? .string(text) : try JSONValue(parsing: text) } catch {
                    throw .validation(member.name, "The secret \(reference) must be a JSON document.")
                }
            } else if !isSlot, before?.properties[member.name] == SealedRules.sealed {
                result[member.name] = SealedRules.sealed
            }
        }
        return result
    }

    /// The secrets that this document names.
    var references: [String] { properties.members.compactMap { $0.value[Self.referenceMember]?.string } }
}
