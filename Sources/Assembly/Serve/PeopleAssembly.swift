import Foundation
import Logging
import Management
import People
import ResourceModel
import ServiceLifecycle
import Store
import Studio

/// Gives the people's room what it needs of the other rooms.
enum PeopleAssembly {
    static func engine(_ premises: Premises, _ workings: Workings, _ resources: ResourceService) -> PeopleEngine {
        let (opened, addresses) = (premises.opened, premises.addresses)
        let (store, slot) = (opened.resources, opened.installation)
        let firstPassword = FirstPassword(opened, workings.passwords)
        return PeopleEngine(
            .init(
                store: store,
                sessions: SQLiteSessionStore(opened.queue),
                box: opened.box,
                workspace: opened.workspace.resource,
                pool: workings.passwords,
                users: ManagedUsers(resources: resources),
                links: PeopleLinks(
                    base: { addresses.portalForPeople },
                    forOthers: { addresses.portalForOthers }
                ),
                premises: .init(
                    isValidName: Installation.isValidName,
                    rename: { try await slot.rename(name: $0, organization: $1, email: $2) },
                    holdsBlobs: { try await workings.storage.holdsContainers() },
                    forgetFirstPassword: { firstPassword.remove() }
                ),
                logger: premises.logger
            )
        )
    }

    /// Hashes new passwords on the threads that sign-ins use, one after another.
    static func hashing(_ pool: PasswordPool) -> @Sendable (String) async throws(APIError) -> String {
        { password throws(APIError) in
            do { return try await pool.make(password) } catch is Turns.AreTooMany {
                throw APIError(
                    status: 503,
                    code: "ServiceUnavailable",
                    message: "Too many passwords are being set; try again."
                )
            } catch {
                throw APIError(status: 500, code: "InternalServerError", message: "The password could not be hashed.")
            }
        }
    }

    /// The users of the management API.
    private struct ManagedUsers: UserBook {
        let resources: ResourceService

        func create(_ name: String, _ properties: JSONObject) async throws {
            _ = try await resources.put(.user, ResourceID(["users", name]), properties, ifMatch: nil)
        }

        func change(_ name: String, _ properties: JSONObject) async throws {
            _ = try await resources.patch(.user, ResourceID(["users", name]), properties, ifMatch: "*")
        }
    }

    /// Removes what is over, now and then.
    struct Tidying: Service {
        private static let pause = Duration.seconds(600)

        let people: PeopleEngine
        let logger: Logger

        func run() async throws {
            try? await cancelWhenGracefulShutdown {
                while true {
                    do { try await people.tidy() } catch is CancellationError { return } catch {
                        logger.warning("ended sessions stay", metadata: ["error.code": "\(type(of: error))"])
                    }
                    try await Task.sleep(for: Self.pause)
                }
            }
        }
    }
}
