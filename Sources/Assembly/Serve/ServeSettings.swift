import Analytics
import ArgumentParser
import Configuration
import Foundation
import Gateway
import HTTPWire
import NIOCore
import SystemPackage
import WebServices

/// The static settings of a server: flags first, then the environment (`GATEHOUSE_…`), then the file.
package struct ServeSettings: Sendable {
    enum Door: String, CaseIterable, Sendable {
        case gateway, portal, services, blobs
        /// The same doors once more, over TLS.
        case gatewayTLS = "gateway-tls"
        case portalTLS = "portal-tls"
        case servicesTLS = "services-tls"
        case blobsTLS = "blobs-tls"

        /// The port where none is set; nil where the door is then closed.
        var defaultPort: Int? {
            switch self {
            case .gateway: 8080
            case .portal: 8081
            case .services: 8082
            case .blobs: 10_000
            case .gatewayTLS: 8443
            case .portalTLS, .servicesTLS, .blobsTLS: nil
            }
        }

        var overTLS: Door {
            switch self {
            case .gateway, .gatewayTLS: .gatewayTLS
            case .portal, .portalTLS: .portalTLS
            case .services, .servicesTLS: .servicesTLS
            case .blobs, .blobsTLS: .blobsTLS
            }
        }

        var isTLS: Bool { overTLS == self }
    }

    var bind = "127.0.0.1"
    /// Of the doors that the installation has, whichever of them this server opens.
    var ports: [Door: Int] = [:]
    var publicURLs: [Door: String] = [:]
    var roles: Set<String> = Set(ServeSettings.roleNames)
    var loops = 1
    var readyFile: String?
    /// Whether standard output gets a link to sign in by, as long as nobody ever has.
    var showsFirstLink = true
    var logLevel = "info"
    var rrsBodyBytesMax: Int?
    var rrsRowsMax: Int?
    var rrsCellsMax: Int?
    var rrsTimeoutSeconds: Int?
    /// Whether the storage account with the public key answers; by default where only this machine can reach it.
    var hasDevelopmentAccount = true
    /// Hosts that this server may read from and write to on somebody's word, beside its own store.
    var blobHostsAllowed: [String] = []
    /// Days that a block may wait to be committed (the service's own: a week).
    var blobUncommittedDays = 7
    /// Days that files are kept which a start found and no database named.
    var orphanDays = 30
    /// Databases whose loss, in whole or in part, is accepted for this start: a flag only, since it is for one start.
    var acceptedLosses: Set<String> = []

    /// A file of certificates that https upstreams may be signed by, beside the system's authorities.
    var upstreamAuthorities: String?
    /// Addresses whose X-Forwarded-Proto the gateway believes.
    var trustedProxies: [String] = []

    /// Where a JSON line for each call of the gateway is written; `-` for standard output, nil for nowhere.
    var accessLog: String?
    /// File with ranges of addresses and their places, for the report by place.
    var addressRanges: String?
    var retention = FactWriter.Retention(usageDays: 400, requestDays: 30, requestsMax: 200_000)

    /// Where the certificates of doors over TLS are; nil for the folder `tls` of the data folder.
    var tlsFolder: String?
    /// Whether the portal takes passwords in the clear from other machines too.
    var allowsPlainPasswords = false
    /// Bounds of the doors' connections.
    private var limits: [Door: WireLimits] = [:]
    /// Bytes of a request's body at the gateway, where its API says nothing else.
    var gatewayBodyBytesMax = 1 << 30

    /// Bytes of all answers that policies keep in the response cache.
    var responseCacheBytesMax = 64 << 20

    /// Keys that each policy by key counts for each subscription.
    var limitKeysMax = LimitCounters.keysMax

    var batch = BatchLimits()

    /// Whether only this machine reaches the doors.
    var isLoopback: Bool { bind.hasPrefix("127.") || bind == "::1" || bind == "localhost" }

    /// The doors that have a port.
    var doors: [Door] { Door.allCases.filter { ports[$0] != nil } }

    /// The bounds of a door's connections, as they are set.
    func limits(of door: Door) -> WireLimits { limits[door] ?? WireLimits() }

    var serviceLimits: ServiceLimits {
        var limits = ServiceLimits()
        if let value = rrsBodyBytesMax { limits.bodyBytesMax = value }
        if let value = rrsRowsMax { limits.rowsMax = value }
        if let value = rrsCellsMax { limits.cellsMax = value }
        if let value = rrsTimeoutSeconds { limits.timeout = .seconds(Int64(value)) }
        return limits
    }

    static let roleNames = ["gateway", "portal", "services", "blobs", "worker"]

    /// - Parameter words: of the command line, as `--portal-port 0`.
    package init(words: [String]) async throws { try await self.init(flags: ServeFlags.parse(words)) }

    /// - Throws: an error that names the setting and the rule.
    init(flags: ServeFlags) async throws {
        var reader: ConfigReader?
        if let file = flags.config ?? EnvironmentWords.value("GATEHOUSE_CONFIG") {
            if file.hasSuffix(".json") {
                reader = ConfigReader(provider: try await FileProvider<JSONSnapshot>(filePath: FilePath(file)))
            } else {
                try SettingsFile.check(file)
                reader = ConfigReader(provider: try await FileProvider<YAMLSnapshot>(filePath: FilePath(file)))
            }
        }
        let settings = reader
        let text = { (flag: String?, key: String) -> String? in
            flag ?? EnvironmentWords.value("GATEHOUSE_" + key.uppercased().replacingOccurrences(of: "-", with: "_"))
                ?? settings?.string(forKey: ConfigKey([key]))
        }
        let number = { (flag: Int?, key: String, range: ClosedRange<Int>) throws -> Int? in
            if let flag { return try ServeSettings.checked(flag, key, range) }
            let word = EnvironmentWords.value("GATEHOUSE_" + key.uppercased().replacingOccurrences(of: "-", with: "_"))
            if let word {
                guard let value = Int(word) else { throw InstallationError("--\(key) \"\(word)\" is no whole number.") }
                return try ServeSettings.checked(value, key, range)
            }
            return try settings?.int(forKey: ConfigKey([key])).map { try ServeSettings.checked($0, key, range) }
        }
        bind = text(flags.bind, "bind") ?? bind
        let portFlags: [Door: Int?] = [
            .gateway: flags.gatewayPort, .portal: flags.portalPort, .services: flags.servicesPort,
            .blobs: flags.blobsPort, .gatewayTLS: flags.gatewayTLSPort, .portalTLS: flags.portalTLSPort,
            .servicesTLS: flags.servicesTLSPort, .blobsTLS: flags.blobsTLSPort,
        ]
        for door in Door.allCases {
            ports[door] = try number(portFlags[door] ?? nil, "\(door.rawValue)-port", 0...65_535) ?? door.defaultPort
        }
        let urls =
            flags.publicURL.isEmpty ? text(nil, "public-url").map { $0.split(separator: ",").map(String.init) } : nil
        for item in urls ?? flags.publicURL { try readPublicURL(item) }
        if let words = text(flags.roles, "roles") {
            roles = Set(words.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) })
            if let unknown = roles.first(where: { !Self.roleNames.contains($0) }) {
                throw InstallationError(
                    "--roles: \"\(unknown)\" is unknown; known are \(Self.roleNames.joined(separator: ", "))."
                )
            }
        }
        loops = try number(flags.loops, "loops", 1...256) ?? ProcessorCount.available
        readyFile = text(flags.readyFile, "ready-file")
        showsFirstLink = !flags.hidesFirstLink
        logLevel = text(flags.logLevel, "log-level") ?? logLevel
        rrsBodyBytesMax = try number(nil, "rrs-body-bytes-max", 1...(1 << 30))
        rrsRowsMax = try number(nil, "rrs-rows-max", 1...100_000_000)
        rrsCellsMax = try number(nil, "rrs-cells-max", 1...1_000_000_000)
        rrsTimeoutSeconds = try number(nil, "rrs-timeout-seconds", 1...3600)
        let flag = { (key: String) throws -> Bool? in
            switch text(nil, key)?.lowercased() {
            case nil: return nil
            case "true": return true
            case "false": return false
            case let word?: throw InstallationError("\(key) \"\(word)\" must be true or false.")
            }
        }
        hasDevelopmentAccount = try flag("blob-development-account") ?? isLoopback
        blobHostsAllowed =
            text(nil, "blob-hosts-allowed")?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) } ?? []
        blobUncommittedDays = try number(nil, "blob-uncommitted-days", 1...3650) ?? blobUncommittedDays
        orphanDays = try number(nil, "orphan-days", 1...36_500) ?? orphanDays
        acceptedLosses = Set(
            flags.acceptedLosses.flatMap { $0.split(separator: ",") }.map { $0.trimmingCharacters(in: .whitespaces) }
        )
        upstreamAuthorities = text(nil, "upstream-ca-file")
        trustedProxies = try Self.addresses(text(nil, "gateway-trusted-proxies") ?? "", "gateway-trusted-proxies")
        if try flag("gateway-tls") == false { ports[.gatewayTLS] = nil }
        allowsPlainPasswords = try flag("portal-allow-plain-passwords") ?? false
        tlsFolder = text(nil, "gateway-tls-folder")
        gatewayBodyBytesMax = try number(nil, "gateway-body-bytes-max", 0...(1 << 40)) ?? gatewayBodyBytesMax
        let bounds = DoorBounds(number: { try number(nil, $0, $1) }, proxies: trustedProxies)
        let gatewayLimits = try bounds.gateway()
        limits[.gateway] = gatewayLimits
        limits[.gatewayTLS] = gatewayLimits
        for door in [Door.portal, .services, .blobs] {
            limits[door] = try bounds.other(door.rawValue)
            limits[door.overTLS] = limits[door]
        }
        responseCacheBytesMax =
            try number(nil, "response-cache-bytes-max", 0...(64 << 30)) ?? responseCacheBytesMax
        limitKeysMax = try number(nil, "limit-keys-max", 1...10_000_000) ?? limitKeysMax
        accessLog = text(nil, "access-log")
        addressRanges = text(nil, "address-ranges-file")
        retention.usageDays = try Int64(number(nil, "usage-days", 1...36_500) ?? Int(retention.usageDays))
        retention.requestDays = try Int64(number(nil, "request-days", 1...36_500) ?? Int(retention.requestDays))
        retention.requestsMax = try number(nil, "requests-max", 1...100_000_000) ?? retention.requestsMax
        batch.threads = ProcessorCount.available
        let batchBounds: [(WritableKeyPath<BatchLimits, Int>, String, ClosedRange<Int>)] = [
            (\.runningPerEndpoint, "batch-jobs-per-endpoint", 1...1000), (\.runningMax, "batch-jobs-max", 1...1000),
            (\.waitingMax, "batch-jobs-waiting-max", 1...1_000_000), (\.threads, "batch-threads", 1...256),
            (\.tableBytesMax, "batch-table-bytes-max", 1024...(64 << 30)), (\.jobDays, "batch-job-days", 1...36_500),
            (\.outputDays, "batch-output-days", 0...36_500),
        ]
        for (field, key, range) in batchBounds {
            batch[keyPath: field] = try number(nil, key, range) ?? batch[keyPath: field]
        }
    }

    private mutating func readPublicURL(_ item: String) throws {
        let parts = item.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2, let door = Door(rawValue: parts[0]), let url = URL(string: parts[1]),
            ["http", "https"].contains(url.scheme), url.host != nil
        else {
            throw InstallationError(
                "--public-url \"\(item)\" must be DOOR=URL with a door of \(Door.allCases.map(\.rawValue).joined(separator: ", "))."
            )
        }
        publicURLs[door] = parts[1].hasSuffix("/") ? String(parts[1].dropLast()) : parts[1]
    }

    /// IP addresses with commas between, in the form that connections have.
    private static func addresses(_ text: String, _ key: String) throws -> [String] {
        try text.split(separator: ",").map { word in
            let word = word.trimmingCharacters(in: .whitespaces)
            guard let address = (try? SocketAddress(ipAddress: word, port: 0))?.plainAddress else {
                throw InstallationError("\(key): \"\(word)\" is no IP address.")
            }
            return address
        }
    }

    private static func checked(_ value: Int, _ key: String, _ range: ClosedRange<Int>) throws -> Int {
        guard range.contains(value) else {
            throw InstallationError("--\(key) \(value) must be from \(range.lowerBound) to \(range.upperBound).")
        }
        return value
    }
}
