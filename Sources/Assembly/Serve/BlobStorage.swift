import BlobClient
import Blobs
import Foundation
import Logging
import ServiceLifecycle
import Store

/// The blob store of an installation with what it needs: accounts, its client for accounts elsewhere, and its tidying.
struct BlobStorage: Sendable {
    let store: BlobStore
    let accounts: StorageAccounts
    let remote: RemoteBlobs
    let files: ContentFiles
    let references: BlobReferences

    /// Whether anybody has made a container.
    func holdsContainers() async throws -> Bool {
        let names = try await accounts.names() + [DevelopmentAccount.name]
        return try await store.index.read { transaction in
            try names.contains { try !transaction.containers($0, prefix: "", from: "", limit: 1).isEmpty }
        }
    }

    /// Opens the store and puts aside what a former process left unnamed; no door is open yet.
    static func open(_ premises: Premises, _ closing: ClosingList) async throws -> BlobStorage {
        let (opened, settings, addresses) = (premises.opened, premises.settings, premises.addresses)
        let index = SQLiteBlobIndex(file: opened.queue.file)
        let last = try await index.read { try $0.lastContent() }
        let files = try ContentFiles(
            folder: opened.folder.blobsFolder,
            lastID: last,
            reserve: opened.databases.reserve
        )
        closing.add("content files") { try await files.shutdown() }
        let orphans: ContentFiles.OrphanCount
        do {
            orphans = try await files.tendOrphans(now: Date().timeIntervalSince1970) { ids in
                try await index.read { try $0.known(ids) }
            }
        } catch let error as FileLayerError {
            throw InstallationError("The folder \(opened.folder.blobsFolder) cannot be put in order: \(error).")
        }
        OrphanLog.tell(orphans, opened.folder.blobsFolder, settings, premises.logger)
        let accounts = StorageAccounts(store: opened.resources, box: opened.box)
        try await accounts.start(withDevelopment: settings.hasDevelopmentAccount)
        let store = BlobStore(index: index, files: files, logger: premises.logger)
        let remote = RemoteBlobs(hosts: AllowedHosts(settings.blobHostsAllowed) { addresses.url(.blobs) })
        closing.add("client of accounts elsewhere") { await remote.shutdown() }
        return BlobStorage(
            store: store,
            accounts: accounts,
            remote: remote,
            files: files,
            references: BlobReferences(store: store, accounts: accounts, remote: remote) { addresses.url(.blobs) }
        )
    }
}

/// Says what became of files that no database names.
enum OrphanLog {
    static func tell(
        _ count: ContentFiles.OrphanCount,
        _ folder: String,
        _ settings: ServeSettings,
        _ logger: Logger
    ) {
        if count.putAside > 0 {
            logger.warning(
                "contents that no database names were put aside; gatehouse orphans lists and restores them",
                metadata: [
                    "content.count": "\(count.putAside)", "content.folder": "\(folder)/orphans",
                    "content.days": "\(settings.orphanDays)",
                ]
            )
        }
        if count.broughtBack > 0 {
            logger.warning(
                "contents that are named again were brought back",
                metadata: ["content.count": "\(count.broughtBack)", "content.folder": "\(folder)"]
            )
        }
    }
}

/// Removes now and then what deleted containers and forgotten blocks leave behind.
struct BlobTidying: Service {
    let store: BlobStore
    /// Seconds that a block may wait to be committed.
    let blockAgeMax: Double

    private static let pause = Duration.seconds(600)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await SpaceUse.$isFreeing.withValue(true) {
                    await store.reap()
                    await store.collectBlocks(before: Date().timeIntervalSince1970 - blockAgeMax)
                }
                do { try await Task.sleep(for: Self.pause) } catch { return }
            }
        }
    }
}
