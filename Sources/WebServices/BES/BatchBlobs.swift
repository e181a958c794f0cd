package import Blobs
import DataTables
import Foundation
package import ResourceModel
package import Store

/// The blobs of jobs: judged when a job is submitted, found again when it runs.
package struct BatchBlobs: Sendable {
    /// Results without a place of their own go here, as the service's did.
    static let container = "experimentoutput"
    private static let sealContext = "batchJob#blob"
    private static let fields = ["ConnectionString", "RelativeLocation", "BaseLocation", "SasBlobToken"]

    let references: BlobReferences
    private let accounts: StorageAccounts
    private let box: SecretBox

    package init(references: BlobReferences, accounts: StorageAccounts, box: SecretBox) {
        self.references = references
        self.accounts = accounts
        self.box = box
    }

    /// What a blob is for: errors differ.
    enum Use {
        case input
        case output(String)
    }

    /// Reads an AzureBlobDataReference (contracts/ml-web-services.md 2.4).
    func blob(_ json: JSONValue, _ use: Use) throws(ServiceError) -> BatchJob.Blob {
        guard case .object(let object) = json else { throw missing(use, "it must be an object") }
        var words: [String: String] = [:]
        for field in Self.fields {
            switch object[field] {
            case nil, .null?: break
            case .string(let text)?: words[field] = text
            case let other?:
                throw .badArgument(
                    "RequestBodyInvalid",
                    "\"\(field)\" of a blob reference is \(other.kind), not a string."
                )
            }
        }
        guard let given = words["RelativeLocation"], !given.isEmpty else {
            throw missing(use, "\"RelativeLocation\" is missing")
        }
        let connection = words["ConnectionString"].flatMap { $0.isEmpty ? nil : $0 }
        guard connection != nil || words["BaseLocation"]?.isEmpty == false else {
            throw missing(use, "\"ConnectionString\", or \"BaseLocation\" with \"SasBlobToken\", is missing")
        }
        let shown = String(given.drop { $0 == "/" })
        guard let file = TableFile(fileName: shown) else {
            throw .badArgument(
                "InvalidBlobExtension",
                "The blob reference: \(given.prefix(1024)) has an invalid or missing file extension. "
                    + "Supported file extensions for this output type are: \".csv, .tsv, .arff\"."
            )
        }
        if connection != nil {
            try checkLocation(given, use)
        } else if let end = BlobReferences.expiry(signature: words["SasBlobToken"] ?? ""),
            end < Date().timeIntervalSince1970
        {
            throw .badArgument("ExpiryTimeInThePast", "The signature of the blob \(shown.prefix(1024)) has expired.")
        }
        let target: BlobReferences.Target
        do throws(APIError) {
            var named = words
            if connection == nil { named["ConnectionString"] = nil }
            if let relative = named["RelativeLocation"], connection == nil,
                words["BaseLocation"]?.hasSuffix("/") == true
            {
                named["RelativeLocation"] = String(relative.drop { $0 == "/" })
            }
            target = try find(named)
            try references.checkAllowed(target)
        } catch {
            let why = error.details.first?.message ?? error.message
            throw .badArgument(
                connection == nil ? "InvalidBlob" : "InvalidBlobConnectionString",
                "The blob \(shown.prefix(1024)): \(why)"
            )
        }
        if let place = target.ownPlace { return .init(place: place, sealed: nil, shown: shown, file: file) }
        let text = JSONValue.object(JSONObject(words.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
            .text
        guard let sealed = try? box.seal(text, context: Self.sealContext) else {
            throw .internalError("The job could not be kept.")
        }
        return .init(place: nil, sealed: sealed, shown: shown, file: file)
    }

    private func missing(_ use: Use, _ why: String) -> ServiceError {
        switch use {
        case .input: .badArgument("MissingInputBlobInformation", "The input's blob reference is not whole: \(why).")
        case .output(let name):
            .badArgument(
                "MissingOutputOverrideSpecification",
                "The blob reference of the output \"\(name.prefix(128))\" is not whole: \(why)."
            )
        }
    }

    /// `container/blob`, with or without a slash before it.
    private func checkLocation(_ location: String, _ use: Use) throws(ServiceError) {
        let text = location.hasPrefix("/") ? location.dropFirst() : location[...]
        guard let slash = text.firstIndex(of: "/"), text.index(after: slash) < text.endIndex else {
            let message = "The location \"\(location.prefix(1024))\" must be container/blob."
            switch use {
            case .input: throw .badArgument("InputBlobRelativeLocationInvalid", message)
            case .output: throw .badArgument("InvalidBlob", message)
            }
        }
        let container = String(text[..<slash])
        let name = String(text[text.index(after: slash)...])
        guard !container.isEmpty else {
            throw .badArgument("ContainerIsEmpty", "The location \"\(location.prefix(1024))\" names no container.")
        }
        guard BlobReferences.isValid(container: container) else {
            throw .badArgument(
                "ContainerSegmentInvalid",
                "The container \"\(container.prefix(64))\" must have 3 to 63 lower-case letters, digits and single dashes."
            )
        }
        guard name.unicodeScalars.count <= 1024 else {
            throw .badArgument("BlobNameTooLong", "The blob's name is longer than 1,024 characters.")
        }
        guard BlobReferences.isValid(blob: name) else {
            throw .badArgument("InvalidBlob", "The blob's name holds control characters.")
        }
    }

    private func find(_ words: [String: String]) throws(APIError) -> BlobReferences.Target {
        let json = JSONValue.object(JSONObject(words.map { ($0.key, JSONValue.string($0.value)) }))
        return try references.target(try BlobReferences.Reference(json: json))
    }

    /// A place in the workspace's own storage for a result.
    func result(of job: String, workspace: String) async throws -> BatchJob.Blob {
        guard let account = try await account(workspace) else {
            throw ServiceError.internalError("The workspace has no storage account.")
        }
        let name = "\(job)/\(Identifier.guid()).csv"
        let shown = "\(Self.container)/\(name)"
        guard let file = TableFile(fileName: shown) else { throw ServiceError.internalError("No format.") }
        return .init(
            place: BlobPlace(account: account, container: Self.container, name: name),
            sealed: nil,
            shown: shown,
            file: file
        )
    }

    func account(_ workspace: String) async throws -> String? {
        try await accounts.list(ResourceID(["workspaces", workspace])).first?.id.name
    }

    /// Finds a job's blob again.
    ///
    /// - Throws: `APIError` where the reference does not hold any more.
    func target(_ blob: BatchJob.Blob) throws -> BlobReferences.Target {
        if let place = blob.place { return BlobReferences.Target(place) }
        guard let sealed = blob.sealed else { throw APIError.badRequest("The job's record is damaged.") }
        let json = try JSONValue(parsing: try box.open(sealed, context: Self.sealContext))
        let target = try references.target(try BlobReferences.Reference(json: json))
        try references.checkAllowed(target)
        return target
    }

    /// A job's record with what is sealed in it sealed by another box; nil where there is nothing to do.
    ///
    /// - Throws: where something opens by neither box.
    package static func resealed(
        kind: String,
        _ payload: JSONValue,
        from old: SecretBox,
        to new: SecretBox
    ) throws -> JSONValue? {
        guard kind == BatchJob.kind else { return nil }
        let job = BatchJob(json: payload)
        var isChanged = false
        func resealed(_ port: BatchJob.Port) throws -> BatchJob.Port {
            guard let sealed = port.blob.sealed, (try? new.open(sealed, context: sealContext)) == nil else {
                return port
            }
            isChanged = true
            let text = try old.open(sealed, context: sealContext)
            let blob = BatchJob.Blob(
                place: port.blob.place,
                sealed: try new.seal(text, context: sealContext),
                shown: port.blob.shown,
                file: port.blob.file
            )
            return BatchJob.Port(name: port.name, blob: blob)
        }
        let changed = BatchJob(
            inputs: try job.inputs.map(resealed),
            outputs: try job.outputs.map(resealed),
            parameters: job.parameters,
            skipsBad: job.skipsBad
        )
        return isChanged ? changed.json : nil
    }

    /// Removes results in the workspace's own storage that are older.
    func expireResults(before time: Double) async throws {
        for account in try await accounts.names() {
            try await references.expire(account: account, container: Self.container, before: time)
        }
    }
}
