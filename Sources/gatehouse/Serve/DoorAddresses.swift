import Foundation
import ResourceModel
import Synchronization

/// Where the doors are reached, once they are bound.
final class DoorAddresses: Sendable {
    private let urls = Mutex<[ServeSettings.Door: String]>([:])
    private let settings: ServeSettings

    init(settings: ServeSettings) {
        self.settings = settings
        for door in ServeSettings.Door.allCases { bound(door, port: settings.ports[door] ?? door.defaultPort) }
    }

    /// Notes the real port of a door.
    func bound(_ door: ServeSettings.Door, port: Int) {
        let scheme = door == .gatewayTLS ? "https" : "http"
        let url = settings.publicURLs[door] ?? "\(scheme)://\(Self.host(settings.bind)):\(port)"
        urls.withLock { $0[door] = url }
    }

    /// The public address of a door, without a closing slash.
    func url(_ door: ServeSettings.Door) -> String { urls.withLock { $0[door] ?? "" } }

    /// The gateway's door by TLS; nil where there is none.
    var secureGateway: String? { settings.hasGatewayTLS ? url(.gatewayTLS) : nil }

    /// Those that this installation has.
    private var doors: [ServeSettings.Door] {
        ServeSettings.Door.allCases.filter { $0 != .gatewayTLS || settings.hasGatewayTLS }
    }

    var document: JSONValue {
        .object(JSONObject(doors.map { ($0.rawValue, .string(url($0))) }))
    }

    /// An address of all interfaces is none that a client can use.
    private static func host(_ bind: String) -> String {
        switch bind {
        case "0.0.0.0": "127.0.0.1"
        case "::": "[::1]"
        default: bind.contains(":") ? "[\(bind)]" : bind
        }
    }
}
