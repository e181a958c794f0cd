import Store

/// The conditional headers of a request, and the lease that it says it holds.
package struct AccessConditions: Sendable, Equatable {
    /// Bare etags, or `*`.
    package var ifMatch: [String]?
    package var ifNoneMatch: [String]?
    /// Seconds since 1970.
    package var ifModifiedSince: Double?
    package var ifUnmodifiedSince: Double?
    package var leaseID: String?
    /// Whether another blob may be put in place of one: a signature that may only create must not.
    package var mayReplace = true

    package init() {}

    /// What a request may not do, by its kind.
    enum Purpose {
        case read
        case write
        /// Makes a blob, or puts another in its place.
        case create
    }

    /// - Throws: 304 for reads, 412 for writes; 409 where `If-None-Match: *` met something.
    func check(etag: String, modified: Double, for purpose: Purpose) throws(BlobError) {
        // Times of headers have whole seconds.
        let modified = modified.rounded(.down)
        if let ifMatch, !ifMatch.contains("*"), !ifMatch.contains(etag) { throw .conditionNotMet }
        if let ifUnmodifiedSince, modified > ifUnmodifiedSince { throw .conditionNotMet }
        if let ifNoneMatch {
            if ifNoneMatch.contains("*") {
                if purpose == .create { throw .blobExists }
                throw purpose == .read ? .notModified : .conditionNotMet
            }
            if ifNoneMatch.contains(etag) { throw purpose == .read ? .notModified : .conditionNotMet }
        }
        // With an etag that did not match, the time has no say (RFC 9110, 13.2.2).
        if ifNoneMatch == nil, let ifModifiedSince, modified <= ifModifiedSince {
            throw purpose == .read ? .notModified : .conditionNotMet
        }
    }

    /// The conditions where nothing is there yet.
    func checkAbsent() throws(BlobError) {
        if ifMatch != nil { throw .conditionNotMet }
        if leaseID != nil {
            throw .lease(412, "LeaseNotPresentWithBlobOperation", "There is currently no lease on the blob.")
        }
    }

    /// Whether the lease lets the request write.
    func checkLease(_ lease: Lease, at now: Double, on kind: LeaseRules.Kind) throws(BlobError) {
        let state = LeaseRules.state(lease, at: now)
        guard state == .leased || state == .breaking else {
            guard let leaseID else { return }
            guard state == .expired else { throw kind.notPresent }
            throw leaseID.lowercased() == lease.id?.lowercased() ? kind.lost : kind.mismatch
        }
        guard let leaseID else { throw kind.missing }
        guard leaseID.lowercased() == lease.id?.lowercased() else { throw kind.mismatch }
    }

    /// Reading needs no lease; one that is named must be the right one.
    func checkLeaseForRead(_ lease: Lease, at now: Double, on kind: LeaseRules.Kind) throws(BlobError) {
        guard leaseID != nil else { return }
        try checkLease(lease, at: now, on: kind)
    }
}
