import Foundation
import ResourceModel

/// Properties that rest encrypted inside their documents: texts in which people write secrets, as passwords in policies, though there are
/// better places for them.
///
/// Whoever reads or writes documents meets plain values; only the file, its log and copies of both hold the sealed ones. Their flat columns and
/// the lists' filters do not see them.
struct DocumentSealing: Sendable {
    /// The one member of what stands in a value's place.
    private static let mark = "$sealed"

    /// Names of properties by full type in lower case.
    let members: [String: Set<String>]
    /// nil while the installation's secret is not known: values are then left as they rest.
    var box: SecretBox?

    func sealed(_ id: ResourceID, _ properties: JSONObject) throws -> JSONObject {
        guard let box else { return properties }
        return try changed(id, properties) { name, value in
            guard !value.isNull else { return nil }
            let sealed = try box.seal(value.text, context: Self.context(id, name))
            return .object([Self.mark: .string(Data(sealed).base64EncodedString())])
        }
    }

    func opened(_ id: ResourceID, _ properties: JSONObject) throws -> JSONObject {
        guard let box else { return properties }
        return try changed(id, properties) { name, value in
            guard let sealed = Self.bytes(value) else { return nil }
            do { return try JSONValue(parsing: try box.open(sealed, context: Self.context(id, name))) } catch {
                throw StoreError.unreadable(id)
            }
        }
    }

    /// Whether a document holds a value that rests in plain text.
    func isPlain(_ id: ResourceID, _ properties: JSONObject) -> Bool {
        (members[id.type.lowercased()] ?? []).contains { name in
            properties[name].map { !$0.isNull && Self.bytes($0) == nil } ?? false
        }
    }

    private func changed(
        _ id: ResourceID,
        _ properties: JSONObject,
        _ change: (_ name: String, JSONValue) throws -> JSONValue?
    ) throws -> JSONObject {
        guard let names = members[id.type.lowercased()] else { return properties }
        var result = properties
        for member in properties.members where names.contains(member.name) {
            if let value = try change(member.name, member.value) { result[member.name] = value }
        }
        return result
    }

    /// What a sealed value holds; nil for a plain one.
    private static func bytes(_ value: JSONValue) -> [UInt8]? {
        guard let object = value.object, object.members.count == 1, let text = object[mark]?.string else { return nil }
        return Data(base64Encoded: text).map { Array($0) }
    }

    /// Apart from those of secrets' slots.
    private static func context(_ id: ResourceID, _ name: String) -> String { "\(id.key)#\(name)#document" }
}
