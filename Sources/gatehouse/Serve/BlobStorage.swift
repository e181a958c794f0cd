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

    /// Opens the store and removes what a former process left unnamed; no door is open yet.
    static func open(
        _ opened: OpenInstallation,
        _ settings: ServeSettings,
        _ addresses: DoorAddresses,
        _ logger: Logger
    ) async throws -> BlobStorage {
        let index = SQLiteBlobIndex(file: opened.queue.file)
        let last = try await index.read { try $0.lastContent() }
        let files = try ContentFiles(folder: opened.folder.blobsFolder, lastID: last)
        let orphans = try await files.collectOrphans { ids in try await index.read { try $0.known(ids) } }
        if orphans > 0 { logger.info("orphaned blob contents removed", metadata: ["content.count": "\(orphans)"]) }
        let accounts = StorageAccounts(store: opened.resources, box: opened.box)
        try await accounts.start(withDevelopment: settings.hasDevelopmentAccount)
        let reserve = DiskReserve(path: opened.folder.diskReserve)
        let store = BlobStore(index: index, files: files, reserve: reserve, logger: logger)
        let remote = RemoteBlobs(hosts: AllowedHosts(settings.blobHostsAllowed) { addresses.url(.blobs) })
        return BlobStorage(
            store: store,
            accounts: accounts,
            remote: remote,
            files: files,
            references: BlobReferences(store: store, accounts: accounts, remote: remote) { addresses.url(.blobs) }
        )
    }

    func shutdown() async throws {
        await remote.shutdown()
        try await files.shutdown()
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
                await store.reap()
                await store.collectBlocks(before: Date().timeIntervalSince1970 - blockAgeMax)
                do { try await Task.sleep(for: Self.pause) } catch { return }
            }
        }
    }
}
