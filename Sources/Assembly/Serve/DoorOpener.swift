import Foundation
import HTTPWire
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Opens doors: each in the clear and, where a port is set for that, over TLS, each within its share of the descriptors.
struct DoorOpener {
    let premises: Premises
    let descriptors: Descriptors
    let tls: DoorTLS?
    /// What is beneath a door is closed after it, also where a later door cannot be opened.
    let closing: ClosingList

    /// Opens a door where this server has its role, and notes where it is reached.
    ///
    /// - Parameter makeResponder: called once on each loop, and once more for TLS.
    func open(
        _ door: ServeSettings.Door,
        on group: MultiThreadedEventLoopGroup,
        makeResponder: @Sendable @escaping (_ wire: WireLoop, _ isTLS: Bool) -> any WireResponder
    ) async throws -> [WireListener] {
        let settings = premises.settings
        guard settings.roles.contains(door.rawValue) else { return [] }
        var listeners: [WireListener] = []
        for one in [door, door.overTLS] where settings.doors.contains(one) {
            let isTLS = one != door
            let listener = try await listen(one, on: group) { makeResponder($0, isTLS) }
            closing.add("\(one.rawValue) door") { await listener.drain(timeout: OpenDoors.drainTimeout) }
            premises.addresses.bound(one, port: listener.port)
            listeners.append(listener)
        }
        return listeners
    }

    private func listen(
        _ door: ServeSettings.Door,
        on group: MultiThreadedEventLoopGroup,
        makeResponder: @Sendable @escaping (WireLoop) -> any WireResponder
    ) async throws -> WireListener {
        let (settings, logger) = (premises.settings, premises.logger)
        let port = settings.ports[door] ?? 0
        do {
            return try await WireListener.listen(
                group: group,
                host: settings.bind,
                port: port,
                limits: descriptors.bounded(
                    settings.limits(of: door),
                    door,
                    of: settings.doors,
                    loops: Array(group.makeIterator()).count
                ),
                tls: door.isTLS ? tls?.tls : nil,
                givesWay: settings.loops > ProcessorCount.available,
                noteShortage: { error in
                    logger.warning(
                        "connections wait: the system gives no descriptors for them",
                        metadata: ["door": "\(door.rawValue)", "error": "\(String(cString: strerror(error)))"]
                    )
                },
                makeResponder: makeResponder
            )
        } catch let error as IOError {
            throw InstallationError(
                "The \(door.rawValue) door cannot listen on \(settings.bind):\(port): \(String(cString: strerror(error.errnoCode)))."
            )
        }
    }
}

/// Keeps the doors open, and drains them all at once.
struct OpenDoors: Service {
    /// Time for open requests after SIGTERM.
    static let drainTimeout = TimeAmount.seconds(20)

    let listeners: [WireListener]

    func run() async throws {
        try? await gracefulShutdown()
        await withTaskGroup(of: Void.self) { group in
            for listener in listeners { group.addTask { await listener.drain(timeout: Self.drainTimeout) } }
        }
    }
}
