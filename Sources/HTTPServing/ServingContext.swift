package import Hummingbird
package import Logging
import ResourceModel

/// Where a request of an ordinary door comes from.
package struct ServingSource: RequestContextSource {
    package let logger: Logger

    package init(logger: Logger) { self.logger = logger }
}

/// What an ordinary door knows of a request beside the request itself.
package struct ServingContext: RequestContext {
    package typealias Source = ServingSource

    package var coreContext: CoreRequestContextStorage
    /// Sent back as `x-ms-request-id` and written to the log.
    package let requestID: String
    /// Set by the door's middleware, before any route.
    package var caller = Caller.nobody
    /// What forms of the answer carry as `csrf`, and scripts as `X-CSRF-Token`; empty where there is no cookie that it is made of.
    package var formToken = ""
    /// The address that the request came from; empty where none is known.
    package var address = ""
    /// Whether the connection is over TLS, to this process or to a proxy that is trusted.
    package var isSecure = false
    /// Whether the connection is from this machine, and not from a proxy on it that is trusted.
    package var isLoopback = false
    /// Whether passwords may come this way: over TLS, from this machine, or where a setting allows it in the clear.
    package var mayCarryPasswords = false

    package init(source: ServingSource) {
        coreContext = CoreRequestContextStorage(source: source)
        requestID = Identifier.guid()
    }

    /// Bodies of ordinary requests; datasets have their own bound.
    package var maxUploadSize: Int { ServingContext.bodyBytesMax }

    /// API Management takes documents of up to 4 MB inline, the largest ordinary body.
    package static let bodyBytesMax = 4 << 20
}
