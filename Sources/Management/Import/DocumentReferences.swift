import ResourceModel

/// Follows the references of a document into itself.
final class DocumentReferences {
    /// References followed one after another.
    private static let chainMax = 16
    /// Parts of one reference.
    private static let partsMax = 64

    private let document: JSONValue
    /// Members by name of what references led through: a search for each of them would be quadratic.
    private var members: [Substring: [String: JSONValue]] = [:]

    init(_ document: JSONValue) { self.document = document }

    /// What a local reference leads to; itself where it is none, nothing where it leads elsewhere.
    func resolved(_ value: JSONValue) -> JSONValue {
        var found = value
        for _ in 0..<Self.chainMax {
            guard let reference = found["$ref"]?.string else { return found }
            guard reference.hasPrefix("#/") else { break }
            found = self.value(reference.dropFirst(2)) ?? .object(JSONObject())
        }
        return .object(JSONObject())
    }

    private func value(_ pointer: Substring) -> JSONValue? {
        guard pointer.count(where: { $0 == "/" }) < Self.partsMax else { return nil }
        guard let slash = pointer.lastIndex(of: "/") else { return members(of: "")[Self.name(pointer)] }
        return members(of: pointer[..<slash])[Self.name(pointer[pointer.index(after: slash)...])]
    }

    private func members(of pointer: Substring) -> [String: JSONValue] {
        if let known = members[pointer] { return known }
        let holder = pointer.isEmpty ? document : value(pointer) ?? .null
        let found = Dictionary(holder.object?.members.map { ($0.name, $0.value) } ?? []) { first, _ in first }
        members[pointer] = found
        return found
    }

    private static func name(_ part: Substring) -> String {
        String(part).replacing("~1", with: "/").replacing("~0", with: "~")
    }
}
