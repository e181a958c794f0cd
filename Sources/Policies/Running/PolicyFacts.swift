/// What a call's policies may know of the managed things that it met: objects of the snapshot, shared by all calls.
package final class PolicyFacts {
    package final class API: Sendable {
        package let id: String
        package let name: String
        package let path: String
        package let revision: String
        package let version: String?
        package let isCurrentRevision: Bool

        package init(
            id: String,
            name: String,
            path: String,
            revision: String = "1",
            version: String? = nil,
            isCurrentRevision: Bool = true
        ) {
            self.id = id
            self.name = name
            self.path = path
            self.revision = revision
            self.version = version
            self.isCurrentRevision = isCurrentRevision
        }
    }

    /// An answer that an operation's description holds.
    package struct Sample: Sendable {
        package let status: Int
        package let contentType: String
        package let body: String?

        package init(status: Int, contentType: String, body: String?) {
            self.status = status
            self.contentType = contentType
            self.body = body
        }
    }

    package final class Operation: Sendable {
        package let id: String
        package let name: String
        package let method: String
        package let urlTemplate: String
        /// Only where a policy answers with them.
        package let samples: [Sample]

        package init(id: String, name: String, method: String, urlTemplate: String, samples: [Sample] = []) {
            self.id = id
            self.name = name
            self.method = method
            self.urlTemplate = urlTemplate
            self.samples = samples
        }
    }

    package final class Product: Sendable {
        package let id: String
        package let name: String
        package let isPublished: Bool
        package let requiresApproval: Bool
        package let requiresSubscription: Bool

        package init(id: String, name: String, isPublished: Bool, requiresApproval: Bool, requiresSubscription: Bool) {
            self.id = id
            self.name = name
            self.isPublished = isPublished
            self.requiresApproval = requiresApproval
            self.requiresSubscription = requiresSubscription
        }
    }

    package final class Subscription: Sendable {
        package let id: String
        package let name: String
        /// Where the periods of its quotas are counted from, in seconds since 1970.
        package let startSeconds: Int64
        /// Of its id.
        let hash: Int

        package init(id: String, name: String, startSeconds: Int64 = 0) {
            self.id = id
            self.name = name
            self.startSeconds = startSeconds
            hash = WindowHash.of(id)
        }
    }

    package final class User: Sendable {
        package let id: String
        package let email: String
        package let firstName: String
        package let lastName: String
        package let note: String

        package init(id: String, email: String, firstName: String, lastName: String, note: String) {
            self.id = id
            self.email = email
            self.firstName = firstName
            self.lastName = lastName
            self.note = note
        }
    }

    package let api: API
    package let operation: Operation?
    package let product: Product?
    package let subscription: Subscription?
    package let user: User?

    package init(api: API, operation: Operation?, product: Product?, subscription: Subscription?, user: User?) {
        self.api = api
        self.operation = operation
        self.product = product
        self.subscription = subscription
        self.user = user
    }
}
