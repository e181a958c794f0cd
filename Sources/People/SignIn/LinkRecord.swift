import Foundation
import ResourceModel
import Store

/// Leaves a row in the record of changes when a link is made for a person, and another when it is used or ends.
///
/// A link is a resource below its user, as `users/1/links/1f…`; what opens anything is the code alone, which is elsewhere and hashed.
struct LinkRecord: Sendable {
    private static let type = "users/links"
    private static let word = "links"

    let store: any ResourceStore

    func made(_ code: String, _ purpose: OneTimeCodes.Purpose, for user: String, expires: Double) async throws {
        let end = String(Int(expires))
        let properties: JSONObject = ["Purpose": .string(purpose.rawValue), "Expires": .string(end)]
        // 0 when it ends, in seconds since 1970.
        let write = ResourceWrite(id(code, user), .put(properties: properties, index: [end], secrets: []))
        _ = try await store.apply([write])
        try await removeOldest()
    }

    /// As many links stand in the record as there are codes: those that end first go.
    private func removeOldest() async throws {
        let links = try await store.index(type: Self.type)
        guard links.count > OneTimeCodes.waitingMax else { return }
        let ends = links.map { ($0.id, ($0.columns.first ?? nil).flatMap(Double.init) ?? 0) }.sorted { $0.1 < $1.1 }
        _ = try await store.apply(
            ends.prefix(links.count - OneTimeCodes.waitingMax).map { ResourceWrite($0.0, .delete) }
        )
    }

    /// Removes all links of a person whose codes were taken back.
    func tookBack(of user: String) async throws {
        let links = try await store.index(type: Self.word, parent: ResourceID(["users", user]))
        guard !links.isEmpty else { return }
        _ = try await store.apply(links.map { ResourceWrite($0.id, .delete) })
    }

    func used(_ code: String, of user: String) async throws {
        guard try await store.indexEntry(id(code, user)) != nil else { return }
        _ = try await store.apply([ResourceWrite(id(code, user), .delete)])
    }

    /// Removes links that ended before anybody used them.
    func tidy(now: Double) async throws {
        for entry in try await store.index(type: Self.type) {
            guard let end = (entry.columns.first ?? nil).flatMap(Double.init), end < now else { continue }
            _ = try await store.apply([ResourceWrite(entry.id, .delete)])
        }
    }

    private func id(_ code: String, _ user: String) -> ResourceID {
        ResourceID(["users", user]).child(Self.word, Identifier.hex(Sessions.digest(code).prefix(8)))
    }
}
