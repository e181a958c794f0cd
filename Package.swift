// swift-tools-version: 6.2
import PackageDescription

// Rooms in floor order (ARCHITECTURE.md); a room may import only rooms that stand above it in this list and on a lower
// storey. scripts/check-floor-plan compares this list, the table in ARCHITECTURE.md and every import line.

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")

let package = Package(
    name: "gatehouse",
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(
            url: "https://github.com/apple/swift-configuration",
            from: "1.4.0",
            traits: [.defaults, "YAML"]
        ),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Ground: values. No I/O, no HTTP, no SQL.
        // The nouns of both products, resource ids, JSON documents, API errors, validation rules.
        .target(name: "ResourceModel"),
        // Debian's zlib.
        .systemLibrary(name: "CZlib"),
        // Columnar tables and their readers and writers. Bytes in, values out: knows no files and no network.
        .target(name: "DataTables", dependencies: ["CZlib"]),
        // CRC-32C and MD5 by instructions of the processor that Swift cannot name.
        .target(name: "CChecksum"),
        // The language of policy expressions: syntax, binding, program. Knows no policies and no HTTP: `context` is handed in.
        .target(name: "Expressions"),
        // Facts that calls leave, metrics, trace context, and the log handler that redacts secrets. Knows no store.
        .target(name: "Telemetry", dependencies: [logging]),

        // Workshops.
        // Strict HTTP/1.1 codec, connections and upstream pools of the data path. Knows no products and no policies.
        .target(
            name: "HTTPWire",
            dependencies: [
                nioCore, nioPosix, .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]
        ),
        // Policy documents: reading, compiling, running. Knows no sockets and no store: effects are a protocol.
        .target(name: "Policies", dependencies: ["ResourceModel", "Expressions"]),
        // The only room with SQL, and the secret box. Returns values, never rows.
        .target(
            name: "Store",
            dependencies: [
                "ResourceModel", "Telemetry", crypto, logging, .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ]
        ),
        // Certificates of our own authority. Knows no doors and no files.
        .target(
            name: "Certificates",
            dependencies: [
                crypto, .product(name: "X509", package: "swift-certificates"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
            ]
        ),
        // The client's side of the blob protocol: signatures, connection strings, transfers. Knows no store.
        .target(
            name: "BlobClient",
            dependencies: [
                "ResourceModel", crypto, nioCore, .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
            ]
        ),
        // What the ordinary doors share: authentication, errors, conditional requests, paging. Knows no product nouns.
        .target(
            name: "HTTPServing",
            dependencies: ["ResourceModel", hummingbird, httpTypes, logging, crypto, nioCore]
        ),

        // Engines.
        // The palette of modules and the graph runner. Knows no persistence.
        .target(name: "StudioModules", dependencies: ["ResourceModel", "DataTables", crypto]),
        // The blob store and its protocol, on content files behind a layer that can be made to fail. Knows no experiments and
        // no APIs.
        .target(
            name: "Blobs",
            dependencies: [
                "CChecksum", "ResourceModel", "HTTPWire", "Store", "BlobClient", crypto, nioCore, nioPosix, logging,
            ]
        ),
        // Accounts, passwords, sessions, roles, one-time links. Knows no pages and no products.
        .target(
            name: "People",
            dependencies: [
                "ResourceModel", "Store", "HTTPServing", hummingbird, httpTypes, logging, crypto, nioCore, nioPosix,
            ]
        ),

        // Planes.
        // Control plane of the gateway: declared resource types over one generic resource service.
        .target(
            name: "Management",
            dependencies: [
                "ResourceModel", "Telemetry", "Policies", "Store", "HTTPServing", hummingbird, httpTypes, logging,
                crypto,
                // Its libyaml, CYaml: the reader above it has no bounds.
                .product(name: "Yams", package: "Yams"),
            ]
        ),
        // Routes, keys and forwarding of managed calls. Never sees Store, Management or WebServices.
        .target(
            name: "Gateway",
            dependencies: ["ResourceModel", "Telemetry", "HTTPWire", "Policies", nioCore, nioPosix, crypto, logging]
        ),
        // Workspaces, datasets, experiments, runs, publishing. Knows no requests being scored: it enqueues.
        .target(
            name: "Studio",
            dependencies: [
                "ResourceModel", "DataTables", "Store", "HTTPServing", "StudioModules", "Blobs", hummingbird, httpTypes,
                logging, crypto,
            ],
            resources: [.embedInCode("Samples/book-reviews.tsv")]
        ),
        // Published services: definitions, keys, RRS, swagger. Never sees Studio.
        .target(
            name: "WebServices",
            dependencies: [
                "ResourceModel", "DataTables", "HTTPWire", "Store", "HTTPServing", "StudioModules", "Blobs",
                hummingbird,
                httpTypes, nioCore, nioPosix, logging, crypto,
            ]
        ),
        // Roll-ups of facts, their retention and the access log. Knows nothing of the request path.
        .target(name: "Analytics", dependencies: ["ResourceModel", "Telemetry", "Store", logging]),

        // Faces.
        // What pages are made of, compiled in: templates, and styles, scripts and icons as they are sent (scripts/assets).
        .target(name: "CAssets", exclude: ["built"]),
        // Pages: query, page model, template. Knows no SQL and no rules.
        .target(
            name: "Portals",
            dependencies: [
                "CAssets", "CZlib", "ResourceModel", "HTTPServing", "People", "Management", "Studio", "WebServices",
                hummingbird,
                httpTypes, logging, crypto, nioCore, .product(name: "Mustache", package: "swift-mustache"),
            ]
        ),
        // Noun and verb commands, over HTTP only.
        .target(
            name: "Commands",
            dependencies: [
                "ResourceModel", "BlobClient", nioCore, nioPosix,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]
        ),

        // Assembles the rooms: opens and closes what they need, and decides nothing.
        .target(
            name: "Assembly",
            dependencies: [
                "ResourceModel", "Telemetry", "HTTPWire", "Policies", "Store", "Certificates", "BlobClient",
                "HTTPServing",
                "StudioModules",
                "Blobs",
                "Management",
                "Gateway", "Studio", "WebServices", "Analytics", "People", "Portals", nioCore, nioPosix,
                hummingbird, httpTypes,
                logging,
                crypto,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]
        ),

        // Door: the words of the command line.
        .executableTarget(
            name: "gatehouse",
            dependencies: [
                "Assembly", "Commands", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            linkerSettings: [
                // The file must work when copied elsewhere: the Swift runtime is linked in, not looked up beside a toolchain.
                .unsafeFlags(
                    [
                        "-static-stdlib", "-lFoundation", "-lFoundationInternationalization", "-lFoundationEssentials",
                        "-lCoreFoundation", "-l_FoundationCShims", "-l_FoundationCollections", "-l_FoundationICU",
                    ],
                    .when(configuration: .release)
                )
            ]
        ),

        // Measures the hashing of Feature Hashing; run by scripts/bench.
        .executableTarget(
            name: "hashing-bench",
            dependencies: ["ResourceModel", "DataTables", "StudioModules"],
            path: "Benchmarks/HashingBench"
        ),

        // What the fuzzer tries, and the unit tests with its corpus.
        .target(
            name: "FuzzTargets",
            dependencies: [
                "HTTPWire", "Gateway", "Policies", "Expressions", "ResourceModel", nioCore,
                .product(name: "NIOEmbedded", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            path: "Fuzz/Targets"
        ),

        // Tests. End-to-end tests drive the release binary from tests/ (pytest).
        // A SQLite file layer that can lose everything that was not synced.
        .target(
            name: "CFaultVFS",
            path: "Tests/CFaultVFS",
            linkerSettings: [.linkedLibrary("sqlite3")]
        ),
        .testTarget(name: "ResourceModelTests", dependencies: ["ResourceModel"]),
        .testTarget(name: "DataTablesTests", dependencies: ["DataTables"]),
        .testTarget(name: "StudioModulesTests", dependencies: ["StudioModules", "DataTables", "ResourceModel"]),
        .testTarget(name: "HTTPWireTests", dependencies: ["HTTPWire", nioCore, nioPosix]),
        .testTarget(name: "StoreTests", dependencies: ["Store", "ResourceModel", "CFaultVFS"]),
        .testTarget(
            name: "PeopleTests",
            dependencies: [
                "People", "Store", "HTTPServing", "ResourceModel", hummingbird, httpTypes, logging, nioCore,
            ]
        ),
        .testTarget(name: "PortalsTests", dependencies: ["Portals", "HTTPServing", "ResourceModel"]),
        .testTarget(name: "ManagementTests", dependencies: ["Management", "Policies", "Store", "ResourceModel"]),
        .testTarget(name: "GatewayTests", dependencies: ["Gateway", "HTTPWire", "Policies", "ResourceModel", nioCore]),
        .testTarget(
            name: "WebServicesTests",
            dependencies: ["WebServices", "StudioModules", "DataTables", "ResourceModel", nioCore]
        ),
        .testTarget(name: "ExpressionsTests", dependencies: ["Expressions"]),
        .testTarget(name: "PoliciesTests", dependencies: ["Policies", "Expressions", "ResourceModel"]),
        .testTarget(name: "TelemetryTests", dependencies: ["Telemetry"]),
        .testTarget(name: "BlobsTests", dependencies: ["Blobs", "Store", "ResourceModel", crypto, logging, nioCore]),
        .testTarget(name: "BlobClientTests", dependencies: ["BlobClient", "ResourceModel"]),
        .testTarget(
            name: "AssemblyTests",
            dependencies: [
                "Assembly", "HTTPServing", "HTTPWire", "Management", "Portals", "Studio", "ResourceModel", hummingbird,
                httpTypes, logging, nioCore,
            ]
        ),
        .testTarget(name: "FuzzTargetsTests", dependencies: ["FuzzTargets"]),
    ],
    swiftLanguageModes: [.v6]
)

// libFuzzer's driver is built by scripts/fuzz alone: then the rooms that it drives count the branches that they take.
let fuzzed: Set<String> = [
    "gatehouse-fuzz", "FuzzTargets", "HTTPWire", "Gateway", "Policies", "Expressions", "ResourceModel",
]
let isFuzzing = Context.environment["GATEHOUSE_FUZZ"] != nil
if isFuzzing {
    package.targets.append(
        .executableTarget(
            name: "gatehouse-fuzz",
            dependencies: ["FuzzTargets"],
            path: "Fuzz/Driver",
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]
        )
    )
    package.products.append(.executable(name: "gatehouse-fuzz", targets: ["gatehouse-fuzz"]))
}

for target in package.targets
where target.type != .system && !["CFaultVFS", "CChecksum", "CAssets"].contains(target.name) {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
            .enableUpcomingFeature("InternalImportsByDefault"),
            .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            .treatAllWarnings(as: .error),
            // scripts/check-deep runs both suites on a debug build, which checks exclusivity; release saves the checks.
            .unsafeFlags(
                ["-enforce-exclusivity=unchecked", "-cross-module-optimization"],
                .when(configuration: .release)
            ),
        ]
    if isFuzzing, fuzzed.contains(target.name) {
        target.swiftSettings? += [.unsafeFlags(["-sanitize=fuzzer"])]
    }
}
