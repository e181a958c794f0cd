import Foundation
import ResourceModel
import Synchronization
import WebServices

/// Where the doors are reached, once they are bound.
final class DoorAddresses: Sendable {
    private let urls = Mutex<[ServeSettings.Door: String]>([:])
    private let settings: ServeSettings

    init(settings: ServeSettings) {
        self.settings = settings
        for door in settings.doors { bound(door, port: settings.ports[door] ?? 0) }
    }

    /// Notes the real port of a door.
    func bound(_ door: ServeSettings.Door, port: Int) {
        let scheme = door.isTLS ? "https" : "http"
        let url = settings.publicURLs[door] ?? "\(scheme)://\(Self.host(settings.bind)):\(port)"
        urls.withLock { $0[door] = url }
    }

    /// The public address of a door, without a closing slash.
    func url(_ door: ServeSettings.Door) -> String { urls.withLock { $0[door] ?? "" } }

    /// The gateway's door by TLS; nil where there is none.
    var secureGateway: String? { secure(.gateway) }

    /// A door by TLS; nil where it has no such port.
    func secure(_ door: ServeSettings.Door) -> String? { urls.withLock { $0[door.overTLS] } }

    /// The origins under which the portal's pages are reached.
    var portalOrigins: [String] {
        [url(.portal), secure(.portal) ?? ""].compactMap { text in
            guard let url = URL(string: text), let scheme = url.scheme, let host = url.host else { return nil }
            return "\(scheme)://\(host.contains(":") ? "[\(host)]" : host)" + (url.port.map { ":\($0)" } ?? "")
        }
    }

    /// Where whoever starts the server opens its pages: an address that the settings give, this machine's own, or by TLS.
    var portalForPeople: String {
        if settings.publicURLs[.portal] != nil { return url(.portal) }
        let isOnThisMachine = settings.isLoopback || ["0.0.0.0", "::"].contains(settings.bind)
        return isOnThisMachine ? url(.portal) : secure(.portal) ?? url(.portal)
    }

    /// Where those open its pages to whom links are sent: an address that the settings give, else by TLS from other machines.
    ///
    /// With all interfaces bound and no address given, nobody here knows by which name others reach this machine.
    var portalForOthers: String {
        for door in [ServeSettings.Door.portalTLS, .portal] where settings.publicURLs[door] != nil { return url(door) }
        return settings.isLoopback ? url(.portal) : secure(.portal) ?? url(.portal)
    }

    /// Where web services and their pages are reached.
    var serviceHost: ServiceHost { ServiceHost(servicesURL: url(.services), portalURL: url(.portal)) }

    var document: JSONValue {
        .object(JSONObject(settings.doors.map { ($0.rawValue, .string(url($0))) }))
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
