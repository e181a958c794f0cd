import HTTPWire
import NIOCore

/// Reads the bounds of the doors' connections: each door has its own, of the same names.
struct DoorBounds {
    /// Reads a whole number by its key; nil where it is not set.
    let number: (_ key: String, _ range: ClosedRange<Int>) throws -> Int?
    /// Texts of addresses that many clients come by.
    let proxies: [String]

    private let times: [(WritableKeyPath<WireLimits, TimeAmount>, String)] = [
        (\.headTimeout, "head-seconds"), (\.idleTimeout, "idle-seconds"), (\.bodyTimeout, "body-seconds"),
        (\.bodyRateGrace, "body-grace-seconds"), (\.writeTimeout, "write-seconds"),
    ]
    private let connections: [(WritableKeyPath<WireLimits, Int>, String)] = [
        (\.connectionsMax, "connections-max"), (\.connectionsPerAddressMax, "connections-per-address-max"),
    ]

    init(number: @escaping (_ key: String, _ range: ClosedRange<Int>) throws -> Int?, proxies: [String]) {
        self.number = number
        self.proxies = proxies
    }

    func gateway() throws -> WireLimits {
        var limits = WireLimits()
        try read(&limits, "gateway")
        let counts: [(WritableKeyPath<WireLimits, Int>, String, ClosedRange<Int>)] = [
            (\.fieldsMax, "gateway-fields-max", 16...1024),
            (\.headBytesMax, "gateway-head-bytes-max", 4096...(1 << 20)),
            (\.targetBytesMax, "gateway-target-bytes-max", 1024...(1 << 20)),
            (\.idleUpstreamsMax, "upstream-idle-connections-max", 0...100_000),
        ]
        for (field, key, range) in counts { limits[keyPath: field] = try number(key, range) ?? limits[keyPath: field] }
        let upstreamTimes: [(WritableKeyPath<WireLimits, TimeAmount>, String)] = [
            (\.handshakeTimeout, "gateway-handshake-seconds"), (\.connectTimeout, "upstream-connect-seconds"),
            (\.upstreamTimeout, "upstream-first-byte-seconds"), (\.upstreamIdleTimeout, "upstream-idle-seconds"),
            (\.idleUpstreamTimeout, "upstream-keep-seconds"),
        ]
        for (field, key) in upstreamTimes { try readTime(&limits, field, key) }
        return limits
    }

    /// Of a door that is not the gateway's.
    func other(_ door: String) throws -> WireLimits {
        var limits = WireLimits()
        try read(&limits, door)
        return limits
    }

    private func read(_ limits: inout WireLimits, _ door: String) throws {
        limits.proxies = Set(proxies.map { Array($0.utf8) })
        for (field, key) in times { try readTime(&limits, field, "\(door)-\(key)") }
        limits.bodyRateMin = try number("\(door)-body-rate-min", 0...(1 << 30)) ?? limits.bodyRateMin
        limits.collectedBytesMax =
            try number("\(door)-unfinished-bytes-max", 1...(1 << 40)) ?? limits.collectedBytesMax
        for (field, key) in connections {
            limits[keyPath: field] = try number("\(door)-\(key)", 1...1_000_000) ?? limits[keyPath: field]
        }
    }

    private func readTime(
        _ limits: inout WireLimits,
        _ field: WritableKeyPath<WireLimits, TimeAmount>,
        _ key: String
    ) throws {
        if let seconds = try number(key, 1...86_400) { limits[keyPath: field] = .seconds(Int64(seconds)) }
    }
}
