import Mustache
import ResourceModel

// Models of pages are JSON values, so that a page's example is a model too. A member that is null is found and empty: a
// template does not go on to look for its name further out.
extension JSONValue: MustacheParent, MustacheCustomRepresentation {
    package func child(named name: String) -> Any? { self[name] }

    package var representation: Any? {
        switch self {
        case .null: nil
        case .bool(let value): value
        case .int(let value): value
        case .double(let value): value
        case .string(let value): value
        case .array(let values): values
        case .object(let object): object
        }
    }
}

extension JSONObject: MustacheParent {
    package func child(named name: String) -> Any? { self[name] }
}
