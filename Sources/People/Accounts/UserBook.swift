package import ResourceModel

/// Writes `users` resources by the rules that hold for every door, with a row in the record of changes.
package protocol UserBook: Sendable {
    /// Makes a user.
    ///
    /// - Parameter properties: as the resource has them; `password` in plain text.
    /// - Throws: `APIError` naming the field and the rule.
    func create(_ name: String, _ properties: JSONObject) async throws

    /// Changes single properties of a user who is there.
    func change(_ name: String, _ properties: JSONObject) async throws
}
