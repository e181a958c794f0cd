import ArgumentParser
import Logging
import Telemetry

/// Starts the doors on a data folder.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve an installation; makes one when the data folder is empty."
    )

    @OptionGroup var folder: DataFolderOption
    @OptionGroup var flags: ServeFlags

    func run() async throws {
        let settings = try await ServeSettings(flags: flags)
        guard let level = Logger.Level(rawValue: settings.logLevel) else {
            throw ValidationError("--log-level \"\(settings.logLevel)\" is unknown.")
        }
        LoggingSystem.bootstrap { label in
            var handler = RedactingLogHandler(label: label)
            handler.logLevel = level
            return handler
        }
        try await Server(data: folder.path, settings: settings).run()
    }
}

struct ServeFlags: ParsableArguments {
    @Option(help: "Address that all doors bind to (default: 127.0.0.1).")
    var bind: String?

    @Option(name: .customLong("gateway-port"), help: "Port of the gateway (default: 8080; 0 picks a free one).")
    var gatewayPort: Int?

    @Option(
        name: .customLong("gateway-tls-port"),
        help: "Port of the gateway over TLS (default: 8443; 0 picks a free one)."
    )
    var gatewayTLSPort: Int?

    @Option(
        name: .customLong("portal-tls-port"),
        help: "Port of the portal over TLS (without it there is none; 0 picks a free one)."
    )
    var portalTLSPort: Int?

    @Option(
        name: .customLong("services-tls-port"),
        help: "Port of the web services over TLS (without it there is none; 0 picks a free one)."
    )
    var servicesTLSPort: Int?

    @Option(
        name: .customLong("blobs-tls-port"),
        help: "Port of the blob storage over TLS (without it there is none; 0 picks a free one)."
    )
    var blobsTLSPort: Int?

    @Option(name: .customLong("portal-port"), help: "Port of the portal and the management API (default: 8081).")
    var portalPort: Int?

    @Option(name: .customLong("services-port"), help: "Port of the web services (default: 8082).")
    var servicesPort: Int?

    @Option(name: .customLong("blobs-port"), help: "Port of the blob storage (default: 10000).")
    var blobsPort: Int?

    @Option(name: .customLong("public-url"), help: "DOOR=URL: how a door is reached from outside; may be repeated.")
    var publicURL: [String] = []

    @Option(help: "Roles to run, with commas: gateway, portal, services, blobs, worker (default: all).")
    var roles: String?

    @Option(help: "Event loops of the data path (default: one for each processor that it may use).")
    var loops: Int?

    @Option(
        name: .customLong("ready-file"),
        help: "File that the real addresses are written to, as JSON, once all doors listen."
    )
    var readyFile: String?

    @Option(
        name: .customLong("accept-loss"),
        help:
            "Database (as work.sqlite) to start with although it is missing, or its log is; what is lost stays lost. May be repeated; for one start."
    )
    var acceptedLosses: [String] = []

    @Flag(name: .customLong("no-link"), help: "Print no link to sign in by at the start.")
    var hidesFirstLink = false

    @Option(help: "Settings file, YAML or JSON.")
    var config: String?

    @Option(name: .customLong("log-level"), help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: String?
}
