/// What a call's policies may know of the managed things that it met; made once a snapshot, shared by its calls.
package final class PolicyFacts: Sendable {
    package struct API: Sendable {
        package var id = ""
        package var name = ""
        package var path = ""
        package var revision = "1"
        package var version: String?
        package var isCurrentRevision = true

        package init() {}
    }

    package struct Operation: Sendable {
        package var id = ""
        package var name = ""
        package var method = ""
        package var urlTemplate = ""

        package init() {}
    }

    package struct Product: Sendable {
        package var id = ""
        package var name = ""
        package var isPublished = false
        package var requiresApproval = false
        package var requiresSubscription = true

        package init() {}
    }

    package struct Subscription: Sendable {
        package var id = ""
        package var name = ""
        /// Where fixed windows of quotas are counted from, in seconds since 1970.
        package var startSeconds: Int64 = 0

        package init() {}
    }

    package struct User: Sendable {
        package var id = ""
        package var email = ""
        package var firstName = ""
        package var lastName = ""
        package var note = ""

        package init() {}
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
