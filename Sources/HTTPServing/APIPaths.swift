package import Hummingbird
import ResourceModel

/// Which paths are APIs'; all others are pages'.
package struct APIPaths: Sendable {
    /// In lower case.
    private let firstWords: Set<String>

    /// Reads the first words of all paths from the routes of the APIs, so that none can be forgotten.
    package init(_ routes: [Router<ServingContext>.RouteDescription]) {
        firstWords = Set(routes.compactMap { Self.firstWord($0.path.description) })
    }

    /// Whether a path, as it was sent, begins as an API's.
    package func contains(_ path: String) -> Bool { Self.firstWord(path).map(firstWords.contains) ?? false }

    private static func firstWord(_ path: String) -> String? {
        path.split(separator: "/", maxSplits: 1).first.map { (PercentEncoding.decoded($0) ?? String($0)).lowercased() }
    }
}
