import Certificates
import Foundation
import HTTPWire
import Logging
import ServiceLifecycle

/// The certificates of the doors' TLS ports: files of a folder, beside one that the installation makes for itself.
///
/// `NAME.pem` holds a certificate with those that signed it, `NAME.key` its key. `default` is for clients that name nobody;
/// `gateway` is our own, for all doors, signed by `authority.pem`. The folder is looked at every other second.
struct DoorTLS: Sendable {
    private static let period = Duration.seconds(2)

    let tls = DownstreamTLS()
    private let folder: DataFolder
    private let path: String
    private let names: [String]
    private let logger: Logger

    init(_ premises: Premises) throws {
        let settings = premises.settings
        folder = premises.opened.folder
        logger = premises.logger
        path = settings.tlsFolder ?? "\(folder.path)/tls"
        var names = ["localhost", "127.0.0.1", "::1", ProcessInfo.processInfo.hostName.lowercased(), settings.bind]
        // Under which the doors are reached, beside this machine's own names.
        for door in ServeSettings.Door.allCases {
            if let host = settings.publicURLs[door].flatMap({ URL(string: $0)?.host }) {
                names.append(host.lowercased())
            }
        }
        var known: Set<String> = []
        self.names = names.filter { $0 != "0.0.0.0" && $0 != "::" && !$0.isEmpty && known.insert($0).inserted }
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        try keepOwn()
        do { try tls.load(try identities()) } catch {
            throw InstallationError("The certificates in \(path) cannot be used: \(error)")
        }
    }

    /// Makes the authority, and a certificate that is missing, ends soon, or lacks a name.
    private func keepOwn() throws {
        let now = Date()
        let authorityFile = "\(path)/authority.pem"
        let known = try? String(contentsOfFile: authorityFile, encoding: .utf8)
        let authority: OwnAuthority
        if let known, let key = try folder.existingSecret("authority.key"), !OwnAuthority.endsSoon(known, now: now) {
            guard OwnAuthority.isKey(key) else {
                throw InstallationError(
                    "The file \(folder.path)/secrets/authority.key is damaged: it holds no key of the gateway's authority (\(authorityFile)). Put a whole copy in its place."
                )
            }
            do { authority = try OwnAuthority(.init(certificate: known, key: key)) } catch {
                throw InstallationError(
                    "The gateway's authority cannot be read from \(authorityFile) and \(folder.path)/secrets/authority.key: \(error). Put whole files in their place."
                )
            }
        } else {
            let made = try OwnAuthority.make(
                name: "Gatehouse on \(names.dropFirst(3).first ?? "this machine")",
                now: now
            )
            // One of the two alone belongs to an authority that clients may trust: it is kept.
            try folder.keepAside("\(folder.path)/secrets/authority.key")
            try folder.keepAside(authorityFile)
            try folder.writeSecret("authority.key", made.key)
            try folder.writePrivately(authorityFile, Array(made.certificate.utf8))
            authority = try OwnAuthority(made)
        }
        let file = "\(path)/gateway.pem"
        let served = try? String(contentsOfFile: file, encoding: .utf8)
        let hasKey = FileManager.default.fileExists(atPath: "\(path)/gateway.key")
        guard !hasKey || served.map({ authority.mustRenew($0, names: names, now: now) }) ?? true else { return }
        let issued = try authority.issue(names: names, now: now)
        try folder.writePrivately("\(path)/gateway.key", Array(issued.key.utf8))
        try folder.writePrivately(file, Array((issued.certificate + "\n" + authority.certificate).utf8))
    }

    private struct PairProblem: Error, CustomStringConvertible {
        let description: String
    }

    /// The pairs of the folder, the one for unnamed clients first.
    private func identities() throws -> [DownstreamTLS.Identity] {
        let files = try FileManager.default.contentsOfDirectory(atPath: path)
        let found = files.filter { $0.hasSuffix(".key") }.map { String($0.dropLast(4)) }
        let rank = { (name: String) in name == "default" ? 0 : name == "gateway" ? 1 : 2 }
        return try found.sorted { (rank($0), $0) < (rank($1), $1) }.map { name in
            do {
                let chain = try String(contentsOfFile: "\(path)/\(name).pem", encoding: .utf8)
                let key = try String(contentsOfFile: "\(path)/\(name).key", encoding: .utf8)
                return DownstreamTLS.Identity(
                    names: try ServedNames.read(chain),
                    chain: Array(chain.utf8),
                    key: Array(key.utf8)
                )
            } catch { throw PairProblem(description: "\(name).pem and \(name).key: \(error)") }
        }
    }

    /// Tells one state of the folder from another.
    private func fingerprint() -> [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return files.filter { $0.hasSuffix(".key") || $0.hasSuffix(".pem") }.sorted().map { file in
            let attributes = try? FileManager.default.attributesOfItem(atPath: "\(path)/\(file)")
            let time = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
            return "\(file) \(attributes?[.size] ?? 0) \(attributes?[.systemFileNumber] ?? 0) \(time)"
        }
    }

    /// Takes certificates that change while the door is open; what cannot be used is reported, and the last good ones stay.
    struct Watching: Service {
        let tls: DoorTLS

        func run() async throws {
            try? await cancelWhenGracefulShutdown {
                var seen = tls.fingerprint()
                var renewAt = Date() + 86_400
                while true {
                    try await Task.sleep(for: DoorTLS.period)
                    if Date() > renewAt {
                        renewAt = Date() + 86_400
                        do { try tls.keepOwn() } catch { tls.report(error) }
                    }
                    let now = tls.fingerprint()
                    guard now != seen else { continue }
                    seen = now
                    do {
                        try tls.tls.load(try tls.identities())
                        tls.logger.info("certificates loaded", metadata: ["folder": "\(tls.path)"])
                    } catch { tls.report(error) }
                }
            }
        }
    }

    private func report(_ error: any Error) {
        logger.error("certificates could not be taken", metadata: ["error.code": "\(error)"])
    }
}
