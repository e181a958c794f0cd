import Foundation
import HTTPTypes
package import Hummingbird

extension Request {
    /// The values of a cookie by its exact name.
    package func cookies(named name: String) -> [String] {
        headers[values: .cookie].flatMap { $0.split(separator: ";") }.compactMap { pair in
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, halves[0].trimmingCharacters(in: .whitespaces) == name else { return nil }
            return halves[1].trimmingCharacters(in: .whitespaces)
        }
    }

    /// A cookie's value; nil also where the name comes twice with two values, since one of them is somebody else's.
    package func cookie(_ name: String) -> String? {
        let values = Set(cookies(named: name))
        return values.count == 1 ? values.first : nil
    }
}
