#if canImport(Glibc)
import Glibc
#endif

/// Reads the head of a request or of a response in place: offsets are kept, nothing is copied.
///
/// RFC 9112, strictly: what could be read in two ways is refused. One parser lives as long as its connection and keeps its
/// array of fields, so that a request costs no allocation here.
package struct HeadParser: Sendable {
    package enum Outcome: Equatable {
        case incomplete
        case complete
    }

    package private(set) var fields: [HeadField] = []
    /// Bytes of the head with its empty line.
    package private(set) var length = 0
    package private(set) var framing = BodyFraming.none
    package private(set) var keepsAlive = true
    package private(set) var isHTTP10 = false
    package private(set) var expectsContinue = false
    /// Whether the sender wants to go on with, or goes on with, the WebSocket protocol.
    package private(set) var upgradesToWebSocket = false
    /// Whether there is a line of Cookie or Set-Cookie.
    package private(set) var hasCookies = false

    // Requests.
    package private(set) var method = 0..<0
    package private(set) var target = 0..<0
    /// Offset of the `?` in the head, or the target's end.
    package private(set) var pathEnd = 0

    // Responses.
    package private(set) var status = 0
    package private(set) var statusLineEnd = 0

    private let limits: WireLimits
    /// Lives as long as the process and is only read.
    private nonisolated(unsafe) let tokens = Octets.tokens
    private var contentLength: Int?
    private var isChunked = false
    /// Whether an answer without a body says how long one is in a way that means nothing.
    private var hasBrokenFraming = false
    private var hostCount = 0
    private var host = 0..<0
    /// Of a target in absolute form: what it says the host is.
    private var authority: Range<Int>?
    private var hasConnectionTokens = false
    private var asksToClose = false
    private var asksToKeep = false
    private var hasUpgradeToken = false
    /// Bytes that were already searched for the head's end.
    private var searched = 0

    package init(limits: WireLimits) {
        self.limits = limits
        fields.reserveCapacity(24)
    }

    /// - Parameter bytes: all bytes from the head's first one on.
    package mutating func parseRequest(_ bytes: UnsafeRawBufferPointer) throws(HeadError) -> Outcome {
        guard try findEnd(bytes) else { return .incomplete }
        try parseRequestLine(bytes)
        try parseFields(bytes)
        guard hostCount == 1 || (isHTTP10 && hostCount == 0) else { throw .malformed }
        if let authority {
            // A target that names another host than the field could be read in two ways.
            guard hostCount == 0 || Octets.equal(bytes, authority, host) else { throw .malformed }
        }
        switch (isChunked, contentLength) {
        case (true, nil): framing = .chunked
        case (true, _?): throw .malformed
        case (false, let length?): framing = length == 0 ? .none : .length(length)
        case (false, nil): framing = .none
        }
        guard !(isChunked && isHTTP10) else { throw .malformed }
        return .complete
    }

    /// - Parameter isAnswerToHEAD: then there is no body, whatever the fields say.
    package mutating func parseResponse(
        _ bytes: UnsafeRawBufferPointer,
        isAnswerToHEAD: Bool
    ) throws(HeadError) -> Outcome {
        guard try findEnd(bytes) else { return .incomplete }
        try parseStatusLine(bytes)
        try parseFields(bytes)
        if hasNoBody {
            framing = .none
            if isChunked || hasBrokenFraming || contentLength != nil { dropFraming(bytes) }
            return .complete
        }
        guard !(isChunked && contentLength != nil) else { throw .malformed }
        if isAnswerToHEAD {
            framing = .none
        } else if isChunked {
            framing = .chunked
        } else if let contentLength {
            framing = contentLength == 0 ? .none : .length(contentLength)
        } else {
            framing = .untilClose
            keepsAlive = false
        }
        return .complete
    }

    /// What the value of a field reads as that stands in several lines: a list (RFC 9110, 5.3), and so no single value at all.
    private static let severalLines: StaticString = ","

    /// The value of the field of that lower-case name; `,` where it stands in several lines, none of which is taken for all.
    package func value(_ name: StaticString, in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        var found: UnsafeRawBufferPointer?
        for field in fields where Int(field.nameEnd - field.nameStart) == name.utf8CodeUnitCount {
            guard Octets.equal(slice(bytes, field.nameStart, field.nameEnd), name) else { continue }
            guard found == nil else { return HeadParser.list }
            found = slice(bytes, field.valueStart, field.valueEnd)
        }
        return found
    }

    /// The value of the field of that lower-case name; `,` where it stands in several lines, none of which is taken for all.
    package func value(lowercased name: [UInt8], in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        var found: UnsafeRawBufferPointer?
        for field in fields where Int(field.nameEnd - field.nameStart) == name.count {
            guard Octets.equal(slice(bytes, field.nameStart, field.nameEnd), lowercased: name) else { continue }
            guard found == nil else { return HeadParser.list }
            found = slice(bytes, field.valueStart, field.valueEnd)
        }
        return found
    }

    private static var list: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: severalLines.utf8Start, count: severalLines.utf8CodeUnitCount)
    }

    /// The last member of a list in the fields of that lower-case name: what the nearest of those said who added to it.
    package func lastMember(_ name: StaticString, in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        for field in fields.reversed()
        where Octets.equal(slice(bytes, field.nameStart, field.nameEnd), name) {
            return Octets.members(slice(bytes, field.valueStart, field.valueEnd)).last
        }
        return nil
    }

    /// Calls with the value of each field of that lower-case name, in their order.
    package func forEachValue(
        _ name: StaticString,
        in bytes: UnsafeRawBufferPointer,
        _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        for field in fields where Int(field.nameEnd - field.nameStart) == name.utf8CodeUnitCount {
            guard Octets.equal(slice(bytes, field.nameStart, field.nameEnd), name) else { continue }
            body(slice(bytes, field.valueStart, field.valueEnd))
        }
    }

    /// All values of the fields of that lower-case name, as text.
    package func values(_ lowercasedName: String, in bytes: UnsafeRawBufferPointer) -> [String] {
        let name = Array(lowercasedName.utf8)
        var found: [String] = []
        for field in fields where Int(field.nameEnd - field.nameStart) == name.count {
            guard Octets.equal(slice(bytes, field.nameStart, field.nameEnd), lowercased: name) else { continue }
            found.append(String(decoding: slice(bytes, field.valueStart, field.valueEnd), as: UTF8.self))
        }
        return found
    }

    @inline(__always)
    private func slice(_ bytes: UnsafeRawBufferPointer, _ start: Int32, _ end: Int32) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[Int(start)..<Int(end)])
    }

    // MARK: - Lines

    /// Whether the empty line is there; resumes where it looked before.
    private mutating func findEnd(_ bytes: UnsafeRawBufferPointer) throws(HeadError) -> Bool {
        guard let base = bytes.baseAddress else { return false }
        var place = max(0, searched - 3)
        while place < bytes.count, let found = memchr(base + place, 0x0A, bytes.count - place) {
            let line = UnsafeRawPointer(found) - base
            if line + 2 < bytes.count + 0, bytes[line + 1] == 0x0D, bytes[line + 2] == 0x0A {
                guard line + 3 <= limits.headBytesMax else { throw .tooLarge }
                reset(length: line + 3)
                return true
            }
            // An empty line of a lone LF would end the head for a careless reader behind us.
            if line + 1 < bytes.count, bytes[line + 1] == 0x0A { throw .malformed }
            place = line + 1
        }
        guard bytes.count <= limits.headBytesMax else { throw .tooLarge }
        searched = bytes.count
        return false
    }

    private mutating func reset(length: Int) {
        fields.removeAll(keepingCapacity: true)
        self.length = length
        searched = 0
        contentLength = nil
        isChunked = false
        hasBrokenFraming = false
        hostCount = 0
        hasConnectionTokens = false
        expectsContinue = false
        upgradesToWebSocket = false
        hasCookies = false
        hasUpgradeToken = false
        asksToClose = false
        asksToKeep = false
        isHTTP10 = false
    }

    private mutating func parseRequestLine(_ bytes: UnsafeRawBufferPointer) throws(HeadError) {
        var place = 0
        while place < length, tokens[Int(bytes[place])] { place &+= 1 }
        guard place > 0, place < length, bytes[place] == 0x20 else { throw .malformed }
        method = 0..<place
        place &+= 1
        var start = place
        pathEnd = -1
        authority = nil
        // Absolute form, as proxies are asked: the authority is cut off.
        if place &+ 7 < length, bytes[place] != 0x2F,
            Octets.equal(UnsafeRawBufferPointer(rebasing: bytes[place..<(place &+ 7)]), "http://")
        {
            let authorityStart = place &+ 7
            place = authorityStart
            while place < length, Octets.isAuthority(bytes[place]) { place &+= 1 }
            guard place > authorityStart, place < length, bytes[place] == 0x2F else { throw .malformed }
            authority = authorityStart..<place
            start = place
        }
        while true {
            place = Octets.endOfTargetText(bytes, place, length)
            guard place < length, bytes[place] == 0x3F else { break }
            if pathEnd < 0 { pathEnd = place }
            place &+= 1
        }
        // A fragment has no place in a request.
        if place < length, bytes[place] == 0x23 { throw .malformed }
        target = start..<place
        if pathEnd < 0 { pathEnd = place }
        guard target.count <= limits.targetBytesMax else { throw .targetTooLong }
        guard !target.isEmpty, place &+ 11 <= length, bytes[place] == 0x20 else { throw .malformed }
        let isOriginForm = bytes[start] == 0x2F
        let isAsterisk = target.count == 1 && bytes[start] == 0x2A
        guard isOriginForm || isAsterisk else { throw .malformed }
        try parseVersion(bytes, at: place + 1)
        guard bytes[place + 9] == 0x0D, bytes[place + 10] == 0x0A else { throw .malformed }
        statusLineEnd = place + 11
    }

    private mutating func parseStatusLine(_ bytes: UnsafeRawBufferPointer) throws(HeadError) {
        guard length >= 15 else { throw .malformed }
        try parseVersion(bytes, at: 0)
        guard bytes[8] == 0x20 else { throw .malformed }
        status = 0
        for place in 9..<12 {
            let digit = bytes[place] &- 0x30
            guard digit < 10 else { throw .malformed }
            status = status * 10 + Int(digit)
        }
        guard status >= 100 else { throw .malformed }
        var place = 12
        while place < length, bytes[place] != 0x0D {
            guard bytes[place] >= 0x20 || bytes[place] == 0x09 else { throw .malformed }
            place &+= 1
        }
        guard place &+ 1 < length, bytes[place &+ 1] == 0x0A else { throw .malformed }
        statusLineEnd = place + 2
    }

    private mutating func parseVersion(_ bytes: UnsafeRawBufferPointer, at place: Int) throws(HeadError) {
        let version = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
        switch version {
        case 0x312E_312F_5054_5448: isHTTP10 = false
        case 0x302E_312F_5054_5448:
            isHTTP10 = true
        case let other where other & 0xFFFF_FFFF_FF == 0x2F_5054_5448: throw .unsupportedVersion
        default: throw .malformed
        }
    }

    private mutating func parseFields(_ bytes: UnsafeRawBufferPointer) throws(HeadError) {
        var place = statusLineEnd
        let end = length - 2
        while place < end {
            let nameStart = place
            while place < end, tokens[Int(bytes[place])] { place &+= 1 }
            // No space before the colon, no folded line, no empty name.
            guard place > nameStart, place < end, bytes[place] == 0x3A else { throw .malformed }
            let nameEnd = place
            place &+= 1
            while place < end, bytes[place] == 0x20 || bytes[place] == 0x09 { place &+= 1 }
            let valueStart = place
            place = Octets.endOfText(bytes, place, end)
            guard place &+ 1 < length, bytes[place] == 0x0D, bytes[place &+ 1] == 0x0A else { throw .malformed }
            var valueEnd = place
            while valueEnd > valueStart, bytes[valueEnd &- 1] == 0x20 || bytes[valueEnd &- 1] == 0x09 { valueEnd &-= 1 }
            place &+= 2
            guard fields.count < limits.fieldsMax else { throw .tooLarge }
            var field = HeadField(
                nameStart: Int32(nameStart),
                nameEnd: Int32(nameEnd),
                valueStart: Int32(valueStart),
                valueEnd: Int32(valueEnd),
                lineEnd: Int32(place),
                isHopByHop: false
            )
            try note(&field, bytes)
            fields.append(field)
        }
        if hasConnectionTokens { markConnectionTokens(bytes) }
        // All lines together are one list, in which `close` outweighs `keep-alive` (RFC 9112, 9.3).
        keepsAlive = !asksToClose && (!isHTTP10 || asksToKeep)
        // Without the token the field is nothing that this hop was told.
        if upgradesToWebSocket { upgradesToWebSocket = hasUpgradeToken && !isHTTP10 }
    }

    /// Whether this is an answer that ends with its head, whatever its fields say (RFC 9112, 6.3); the status of a request is 0.
    private var hasNoBody: Bool { status == 204 || status == 304 || status > 0 && status < 200 }

    /// What the field means to framing and to this hop, by the length of its name first.
    private mutating func note(_ field: inout HeadField, _ bytes: UnsafeRawBufferPointer) throws(HeadError) {
        let name = slice(bytes, field.nameStart, field.nameEnd)
        let value = slice(bytes, field.valueStart, field.valueEnd)
        switch name.count {
        case 2: field.isHopByHop = Octets.equal(name, "te")
        case 4:
            if Octets.equal(name, "host") {
                hostCount += 1
                host = Int(field.valueStart)..<Int(field.valueEnd)
                guard value.allSatisfy(Octets.isAuthority) else { throw .malformed }
                field.isHopByHop = true
            }
        case 6:
            if Octets.equal(name, "expect") {
                guard Octets.equal(value, "100-continue") else { throw .malformed }
                expectsContinue = true
                field.isHopByHop = true
            } else if Octets.equal(name, "cookie") {
                hasCookies = true
            }
        case 7:
            field.isHopByHop = Octets.equal(name, "upgrade")
            if field.isHopByHop,
                Octets.equal(value, "websocket")
                    || Octets.members(value).contains(where: {
                        Octets.equal($0, "websocket")
                    })
            {
                upgradesToWebSocket = true
            }
        case 10:
            if Octets.equal(name, "connection") {
                field.isHopByHop = true
                if Octets.equal(value, "close") {
                    asksToClose = true
                } else if Octets.equal(value, "keep-alive") {
                    asksToKeep = true
                } else {
                    hasConnectionTokens = true
                }
            } else {
                field.isHopByHop = Octets.equal(name, "keep-alive")
                if Octets.equal(name, "set-cookie") { hasCookies = true }
            }
        case 14:
            if Octets.equal(name, "content-length") {
                do throws(HeadError) { try noteLength(value) } catch {
                    guard hasNoBody else { throw error }
                    hasBrokenFraming = true
                }
            }
        case 16: field.isHopByHop = Octets.equal(name, "proxy-connection")
        case 17:
            if Octets.equal(name, "transfer-encoding") {
                // Readers that do not cut tabs off would not know this body for what it is.
                let end = slice(bytes, field.valueEnd, field.lineEnd)
                let isClear = !isChunked && Octets.equal(value, "chunked") && !end.contains(0x09)
                guard isClear || hasNoBody else { throw .malformed }
                isChunked = true
            }
        default: break
        }
    }

    private mutating func noteLength(_ value: UnsafeRawBufferPointer) throws(HeadError) {
        // 18 digits cannot overflow, and no body of that size will ever come.
        guard contentLength == nil, (1...18).contains(value.count) else { throw .malformed }
        var length = 0
        for byte in value {
            guard byte &- 0x30 < 10 else { throw .malformed }
            length = length * 10 + Int(byte &- 0x30)
        }
        contentLength = length
    }

    /// An answer of a status without a body says how long one is: whoever believes it waits for what never comes (RFC 9112, 6.3).
    ///
    /// The fields stay behind, but for the length of a 304, which is that of the answer it stands for. What may still come of such a body would
    /// be taken for the next answer, so that the connection is not used again.
    private mutating func dropFraming(_ bytes: UnsafeRawBufferPointer) {
        let keepsLength = status == 304 && !isChunked && !hasBrokenFraming
        for index in fields.indices {
            let name = slice(bytes, fields[index].nameStart, fields[index].nameEnd)
            if Octets.equal(name, "transfer-encoding") || !keepsLength && Octets.equal(name, "content-length") {
                fields[index].isHopByHop = true
            }
        }
        if !keepsLength, isChunked || hasBrokenFraming || contentLength != 0 { keepsAlive = false }
    }

    /// Fields named in Connection belong to this hop.
    private mutating func markConnectionTokens(_ bytes: UnsafeRawBufferPointer) {
        for field in fields {
            guard Octets.equal(slice(bytes, field.nameStart, field.nameEnd), "connection") else { continue }
            for token in Octets.members(slice(bytes, field.valueStart, field.valueEnd)) {
                if Octets.equal(token, "close") { asksToClose = true }
                if Octets.equal(token, "keep-alive") { asksToKeep = true }
                if Octets.equal(token, "upgrade") { hasUpgradeToken = true }
                // Never the fields that frame the message: dropping them would change what the next hop reads.
                guard !Octets.equal(token, "content-length"), !Octets.equal(token, "transfer-encoding") else {
                    continue
                }
                for index in fields.indices
                where Octets.equal(slice(bytes, fields[index].nameStart, fields[index].nameEnd), token) {
                    fields[index].isHopByHop = true
                }
            }
        }
    }
}
