package import HTTPServing
import HTTPTypes
package import Hummingbird

/// Where a person signs in from.
package struct Visitor: Sendable {
    package let address: String
    /// What the browser says of itself.
    package let agent: String

    package init(address: String, agent: String) {
        self.address = address
        self.agent = agent
    }

    package init(_ request: Request, _ context: ServingContext) {
        self.init(address: context.address, agent: request.headers[.userAgent] ?? "")
    }
}

/// What is told to whoever tries too often.
package struct TooManyTries: Error, Sendable, Equatable {
    /// Until the next try counts.
    package let seconds: Int
}

/// What is told to whoever has a code that is unknown, was used, or has ended.
package struct CodeIsGone: Error, Sendable, Equatable { package init() {} }
