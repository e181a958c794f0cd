import HTTPServing
import ResourceModel
import Store

/// The whole configuration of the instance: told, and brought to what a folder of files says.
package struct ConfigurationService: Sendable {
    /// How often a change is tried anew that others overtook: each time is the work of the whole change.
    private static let attemptsMax = 5
    /// Problems that are told at once.
    private static let problemsMax = 100
    private static let types = ResourceTypes.all.map(\.path)
    /// What people make of the portals: never deleted because a folder does not have it, unless that is asked for.
    private static let ofPeople: Set<String> = [
        ResourceType.user.path, ResourceType.subscription.path, ResourceType.groupUser.path, ResourceType.issue.path,
        ResourceType.issueComment.path, ResourceType.issueAttachment.path, ResourceType.recipientUser.path,
        ResourceType.recipientEmail.path,
    ]

    private let service: ResourceService

    package init(service: ResourceService) { self.service = service }

    // MARK: - Telling

    /// All resources, parents first.
    func documents() async throws -> [ConfigurationDocument] { try await Self.documents(service.store) }

    private static func documents(_ store: any ResourceStore) async throws -> [ConfigurationDocument] {
        var documents = try await store.get(.service).map { [ConfigurationDocument(service: $0)] } ?? []
        for stored in try await store.documents(types: types) {
            guard let type = ResourceTypes.type(path: stored.resource.id.type) else { continue }
            documents.append(ConfigurationDocument(stored, type))
        }
        return documents
    }

    /// The plain texts of the secrets that documents name; of passwords there is none.
    func secrets(_ documents: [ConfigurationDocument]) async throws -> JSONObject {
        var texts: [(name: String, value: JSONValue)] = []
        for document in documents where document.id.type.lowercased() != ResourceType.user.path {
            for reference in document.references {
                let slot = reference.split(separator: "#").last.map(String.init) ?? ""
                if let text = try await service.secret(document.id, slot) { texts.append((reference, .string(text))) }
            }
        }
        return JSONObject(texts)
    }

    // MARK: - Changing

    /// What is asked for.
    struct Wish: Sendable {
        let documents: [ConfigurationDocument]
        /// Plain texts by reference.
        let secrets: [String: String]
        /// Whether what people made goes as well where the documents do not have it.
        let deletesPeople: Bool
        let isDryRun: Bool
    }

    /// One difference between what is and what was asked for.
    struct Change: Sendable, Equatable {
        enum Kind: String { case create, update, delete }

        let kind: Kind
        let id: ResourceID
        /// Of an update: the properties that are others.
        var properties: [String] = []

        var json: JSONValue {
            [
                "action": .string(kind.rawValue), "id": .string(id.description),
                "properties": .array(properties.map { .string($0) }),
            ]
        }
    }

    /// Makes the instance what the documents say, all of it or nothing.
    ///
    /// The change is made on a copy by the rules that hold for every door, and what they let through is written in one transaction.
    /// - Throws: `APIError` with a detail for each document that the rules refuse; 409 where others keep changing the instance.
    func apply(_ wish: Wish) async throws -> [Change] {
        for _ in 0..<Self.attemptsMax {
            let (base, attempt) = try await attempt()
            let before = try await Self.documents(attempt.store)
            try await attempt.make(wish, RevisionDocuments.located(wish.documents, before), before)
            let changes = Self.differences(before, try await Self.documents(attempt.store), attempt.withNewSecrets)
            var writes = attempt.store.writes
            guard !wish.isDryRun, !changes.isEmpty, !writes.isEmpty else { return changes }
            writes[0].requirements.append(.unchanged(since: base))
            do {
                try await service.replay(writes)
                return changes
            } catch let error as APIError where error == .preconditionFailed { continue }
        }
        throw APIError.conflict("The instance is being changed by others all the time; nothing was applied.")
    }

    private func attempt() async throws -> (base: Int64, attempt: Attempt) {
        let copy = try await service.store.copy()
        return (try await copy.lastSequence(), Attempt(service: service, store: RecordingStore(copy)))
    }

    private static func differences(
        _ before: [ConfigurationDocument],
        _ after: [ConfigurationDocument],
        _ withNewSecrets: [ResourceID: [String]]
    ) -> [Change] {
        let old = Dictionary(before.map { ($0.id, $0) }) { first, _ in first }
        let new = Set(after.map(\.id))
        var changes = before.reversed().filter { !new.contains($0.id) }.map { Change(kind: .delete, id: $0.id) }
        for document in after {
            guard let known = old[document.id] else {
                changes.append(Change(kind: .create, id: document.id))
                continue
            }
            let names = known.properties.names + document.properties.names.filter { known.properties[$0] == nil }
            let others = names.filter { known.properties[$0] != document.properties[$0] }
            let secrets = (withNewSecrets[document.id] ?? []).filter { !others.contains($0) }
            guard !others.isEmpty || !secrets.isEmpty else { continue }
            changes.append(Change(kind: .update, id: document.id, properties: others + secrets))
        }
        return changes
    }

    /// One try on a copy.
    private final class Attempt {
        let store: RecordingStore
        private let service: ResourceService
        private(set) var withNewSecrets: [ResourceID: [String]] = [:]

        init(service: ResourceService, store: RecordingStore) {
            self.store = store
            self.service = service.working(on: store)
        }

        /// Puts and deletes in an order that the rules let through: what is refused because of another document is tried again after it.
        func make(
            _ wish: Wish,
            _ documents: [ConfigurationDocument],
            _ before: [ConfigurationDocument]
        ) async throws {
            let known = Dictionary(before.map { ($0.id, $0) }) { first, _ in first }
            let wanted = Set(documents.map(\.id))
            guard wanted.count == documents.count else {
                throw APIError.validation("resources", "A resource stands in the configuration twice.")
            }
            var puts = documents
            var deletions = before.map(\.id).filter { !wanted.contains($0) && Attempt.mayGo($0, wish) }
            while true {
                var refused: [(id: ResourceID, error: APIError)] = []
                let (putsLeft, deletionsLeft) = (puts, deletions)
                puts = []
                deletions = []
                for document in putsLeft {
                    do { try await put(document, known[document.id], wish.secrets) } catch let error as APIError {
                        puts.append(document)
                        refused.append((document.id, error))
                    }
                }
                for id in deletionsLeft {
                    do { try await delete(id) } catch let error as APIError {
                        deletions.append(id)
                        refused.append((id, error))
                    }
                }
                guard !refused.isEmpty else { return try await checkOperations(known.values) }
                guard puts.count + deletions.count < putsLeft.count + deletionsLeft.count else {
                    throw Attempt.refusal(refused)
                }
            }
        }

        /// Operations and their policy documents are written one after another, and judged when both are as they shall be.
        private func checkOperations(_ before: some Sequence<ConfigurationDocument>) async throws {
            let operations = before.filter { $0.id.type.lowercased() == ResourceType.operation.path }
            let refused = try await service.refusedOperations(operations.map { ($0.id, $0.properties) })
            guard refused.isEmpty else { throw Attempt.refusal(refused) }
        }

        private static func mayGo(_ id: ResourceID, _ wish: Wish) -> Bool {
            guard let type = ResourceTypes.type(path: id.type), id != .service else { return false }
            return !type.isClosed && (wish.deletesPeople || !ofPeople.contains(type.path))
        }

        private static func refusal(_ refused: [(id: ResourceID, error: APIError)]) -> APIError {
            var details: [APIError.Detail] = []
            for (id, error) in refused.prefix(problemsMax) {
                let own =
                    error.details.isEmpty
                    ? [APIError.Detail(code: error.code, message: error.message)] : error.details
                for detail in own {
                    let target = detail.target.map { "\(id) \($0)" } ?? id.description
                    details.append(.init(code: detail.code, message: detail.message, target: target))
                }
            }
            return .validation(details)
        }

        private func put(
            _ document: ConfigurationDocument,
            _ known: ConfigurationDocument?,
            _ secrets: [String: String]
        ) async throws {
            var news: [String] = []
            for member in document.properties.members {
                guard let reference = member.value[ConfigurationDocument.referenceMember]?.string,
                    let text = secrets[reference]
                else { continue }
                if try await service.secret(document.id, member.name) != text { news.append(member.name) }
            }
            // What is as it should be is not written again.
            if news.isEmpty {
                // A revision may have changed with its API meanwhile.
                let isRevision = document.id.type.lowercased() == "apis" && RevisionName(document.id.name) != nil
                if document == known, !isRevision { return }
                if isRevision, document == (try await current(document.id)) { return }
                // Some come with others, as a user's place among the developers.
                if known == nil, document == (try await current(document.id)) { return }
            }
            if document.id == .service {
                var body: JSONObject = ["properties": .object(document.properties)]
                body["tags"] = document.properties["tags"]
                return try await service.update(instance: body, ifMatch: "*")
            }
            guard let type = ResourceTypes.type(path: document.id.type) else {
                throw APIError.notFound("There is no type \(document.id.type.prefix(80)).")
            }
            let given = try document.given(type, secrets, try await store.get(document.id))
            _ = try await service.put(type, document.id, given, ifMatch: nil)
            if !news.isEmpty { withNewSecrets[document.id] = news }
        }

        private func current(_ id: ResourceID) async throws -> ConfigurationDocument? {
            guard let type = ResourceTypes.type(path: id.type), let resource = try await store.get(id) else {
                return nil
            }
            let slots = Set(try await store.secrets(id).keys)
            return ConfigurationDocument(StoredDocument(resource: resource, slots: slots), type)
        }

        private func delete(_ id: ResourceID) async throws {
            // Gone with its parent, or with what it belonged to.
            guard let type = ResourceTypes.type(path: id.type), try await store.get(id) != nil else { return }
            try await service.delete(type, id, ifMatch: "*", request: DeletionRequest(takesSubscriptions: true))
        }
    }
}
