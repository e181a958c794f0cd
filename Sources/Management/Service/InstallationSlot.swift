package import Foundation
import ResourceModel
package import Store
import Synchronization

/// Holds what the installation is called now, for everybody who shows it.
///
/// The name may change while the server runs: whoever keeps the slot asks it each time, and never keeps what it answered.
package final class InstallationSlot: Sendable {
    private struct State {
        var installation: Installation
        /// The place of the service's document in the order of commits: an older one never replaces a newer one.
        var sequence: Int64
    }

    private let state: Mutex<State>
    private let store: any ResourceStore

    /// Begins with what the store holds of the service.
    ///
    /// - Returns: nil where it holds none.
    package init?(_ store: any ResourceStore) async throws {
        guard let service = try await store.get(.service),
            let installation = Installation(properties: service.properties)
        else { return nil }
        self.store = store
        state = Mutex(State(installation: installation, sequence: service.sequence))
    }

    package var current: Installation { state.withLock { $0.installation } }

    /// Gives the service another name, organization and address, and shows them from the moment they are on the disk.
    ///
    /// Full ids and addresses begin with the name: what was known under the former one is not found under it any more.
    ///
    /// - Throws: `APIError` 400 that names the field and its rule; 412 where somebody else changed the service meanwhile.
    package func rename(name: String, organization: String, email: String) async throws {
        try Installation.check(name: name, organization: organization, email: email)
        guard let before = try await store.get(.service) else { throw ResourceService.notFound(.service) }
        var properties = before.properties
        properties["name"] = .string(name)
        properties["publisherName"] = .string(organization)
        properties["publisherEmail"] = .string(email)
        let write = ResourceWrite(
            .service,
            .put(properties: properties, index: [], secrets: []),
            condition: .etag(before.etag)
        )
        let written: [Resource]
        do { written = try await store.apply([write]) } catch let error as StoreError { throw APIError(error) }
        for service in written { take(service) }
    }

    /// Shows what a service's document says that was just written.
    func take(_ service: Resource) {
        guard service.id == .service, let installation = Installation(properties: service.properties) else { return }
        state.withLock { state in
            guard service.sequence > state.sequence else { return }
            state = State(installation: installation, sequence: service.sequence)
        }
    }
}

extension InstallationSlot {
    /// When the installation was made; nil where nothing was noted.
    package var createdDate: Date? { try? Date(current.createdAt, strategy: .iso8601) }
}
