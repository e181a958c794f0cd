/// An error of the Blob service by its published code, status and message.
package struct BlobError: Error, Sendable, Equatable {
    package let status: Int
    package let code: String
    package let message: String
    /// Further header fields of the answer.
    package var headers: [String: String] = [:]
    /// Further elements of the error document, in their order.
    package var details: [Detail] = []

    package struct Detail: Sendable, Equatable {
        let name: String
        let value: String
    }

    init(_ status: Int, _ code: String, _ message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    // Names are those of the service's error table.
    static let containerNotFound = BlobError(404, "ContainerNotFound", "The specified container does not exist.")
    static let containerExists = BlobError(409, "ContainerAlreadyExists", "The specified container already exists.")
    package static let blobNotFound = BlobError(404, "BlobNotFound", "The specified blob does not exist.")
    static let blobExists = BlobError(409, "BlobAlreadyExists", "The specified blob already exists.")
    static let resourceNotFound = BlobError(404, "ResourceNotFound", "The specified resource does not exist.")
    static let invalidBlobType = BlobError(409, "InvalidBlobType", "The blob type is invalid for this operation.")
    static let conditionNotMet = BlobError(
        412,
        "ConditionNotMet",
        "The condition specified using HTTP conditional header(s) is not met."
    )
    static let notModified = BlobError(
        304,
        "ConditionNotMet",
        "The condition specified using HTTP conditional header(s) is not met."
    )
    static let snapshotsPresent = BlobError(
        409,
        "SnapshotsPresent",
        "This operation is not permitted because the blob has snapshots."
    )
    static let invalidBlockList = BlobError(400, "InvalidBlockList", "The specified block list is invalid.")
    static let invalidBlobOrBlock = BlobError(
        400,
        "InvalidBlobOrBlock",
        "The specified blob or block content is invalid."
    )
    static let blockCountExceedsLimit = BlobError(
        409,
        "BlockCountExceedsLimit",
        "The committed block count cannot exceed the maximum limit of 50,000 blocks."
    )
    static let uncommittedCountExceedsLimit = BlobError(
        409,
        "BlockCountExceedsLimit",
        "The uncommitted block count cannot exceed the maximum limit of 100,000 blocks."
    )
    static let blockListTooLong = BlobError(
        400,
        "BlockListTooLong",
        "The block list may not contain more than 50,000 blocks."
    )
    static let appendPosition = BlobError(
        412,
        "AppendPositionConditionNotMet",
        "The append position condition specified was not met."
    )
    static let maxSize = BlobError(
        412,
        "MaxBlobSizeConditionNotMet",
        "The max blob size condition specified was not met."
    )
    static let sequenceNumber = BlobError(
        412,
        "SequenceNumberConditionNotMet",
        "The sequence number condition specified was not met."
    )
    static let sequenceTooLarge = BlobError(
        409,
        "SequenceNumberIncrementTooLarge",
        "The sequence number increment cannot be performed because it would result in overflow of the sequence number."
    )
    static let invalidPageRange = BlobError(416, "InvalidPageRange", "The page range specified is invalid.")
    static let isSealed = BlobError(409, "BlobIsSealed", "The specified blob is sealed.")
    static let cannotVerifyCopySource = BlobError(
        404,
        "CannotVerifyCopySource",
        "The specified copy source does not exist or cannot be read with the caller's authorization."
    )
    static let sourceConditionNotMet = BlobError(
        412,
        "SourceConditionNotMet",
        "The source condition specified using HTTP conditional header(s) is not met."
    )
    static let noPendingCopy = BlobError(409, "NoPendingCopyOperation", "There is currently no pending copy operation.")
    static let authenticationFailed = BlobError(
        403,
        "AuthenticationFailed",
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature."
    )
    static let permissionMismatch = BlobError(
        403,
        "AuthorizationPermissionMismatch",
        "This request is not authorized to perform this operation using this permission."
    )
    static let missingLength = BlobError(
        411,
        "MissingContentLengthHeader",
        "The content length header was not specified."
    )
    static let md5Mismatch = BlobError(
        400,
        "Md5Mismatch",
        "The MD5 value specified in the request did not match with the MD5 value calculated by the server."
    )
    static let serverBusy = BlobError(
        503,
        "ServerBusy",
        "The server is currently unable to receive requests. Please retry."
    )
    package static let damaged = BlobError(
        500,
        "InternalError",
        "The bytes of this blob on disk are damaged: they do not match their checksum."
    )
    static let diskFull = BlobError(
        500,
        "InternalError",
        "The disk is full: No space left on device. Until some is free nothing is written; deleting works."
    )
    static let bodyTooLarge = BlobError(
        413,
        "RequestBodyTooLarge",
        "The request body is too large and exceeds the maximum permissible limit."
    )

    static func invalidHeader(_ name: String, _ value: String, _ rule: String) -> BlobError {
        var error = BlobError(
            400,
            "InvalidHeaderValue",
            "The value for one of the HTTP headers is not in the correct format: \(name): \(rule)"
        )
        error.details = [
            .init(name: "HeaderName", value: name), .init(name: "HeaderValue", value: String(value.prefix(256))),
        ]
        return error
    }

    static func missingHeader(_ name: String) -> BlobError {
        var error = BlobError(
            400,
            "MissingRequiredHeader",
            "An HTTP header that's mandatory for this request is not specified: \(name)."
        )
        error.details = [.init(name: "HeaderName", value: name)]
        return error
    }

    static func invalidQuery(_ name: String, _ value: String, _ rule: String) -> BlobError {
        var error = BlobError(
            400,
            "InvalidQueryParameterValue",
            "Value for one of the query parameters specified in the request URI is invalid: \(name): \(rule)"
        )
        error.details = [
            .init(name: "QueryParameterName", value: name),
            .init(name: "QueryParameterValue", value: String(value.prefix(256))),
        ]
        return error
    }

    static func outOfRange(_ name: String, _ value: String, _ rule: String) -> BlobError {
        var error = BlobError(
            400,
            "OutOfRangeQueryParameterValue",
            "One of the query parameters specified in the request URI is outside the permissible range: \(name): \(rule)"
        )
        error.details = [.init(name: "QueryParameterName", value: name)]
        return error
    }

    static func invalidResourceName(_ rule: String) -> BlobError {
        BlobError(400, "InvalidResourceName", "The specified resource name contains invalid characters: \(rule)")
    }

    static func invalidRange(length: Int64) -> BlobError {
        var error = BlobError(
            416,
            "InvalidRange",
            "The range specified is invalid for the current size of the resource."
        )
        error.headers["Content-Range"] = "bytes */\(length)"
        return error
    }

    static func invalidXML(_ rule: String) -> BlobError {
        BlobError(400, "InvalidXmlDocument", "The specified XML is not syntactically valid: \(rule)")
    }

    static func xmlNode(_ name: String, _ rule: String) -> BlobError {
        BlobError(
            400,
            "InvalidXmlNodeValue",
            "The value provided for one of the XML nodes is invalid: \(name): \(rule)"
        )
    }

    static func invalidInput(_ rule: String) -> BlobError {
        BlobError(400, "InvalidInput", "One of the request inputs is not valid: \(rule)")
    }

    static func unsupported(_ what: String) -> BlobError {
        BlobError(501, "NotImplemented", "This store does not have \(what).")
    }

    static func lease(_ status: Int, _ code: String, _ message: String) -> BlobError {
        BlobError(status, code, message)
    }
}
