import Foundation

/// What a run of the fuzzer tries: the name in GATEHOUSE_FUZZ_TARGET.
enum FuzzTarget: String, CaseIterable {
    case codec, differential, routes, policy, expression

    func run(_ bytes: UnsafeRawBufferPointer) {
        switch self {
        case .codec: CodecFuzz.run(bytes)
        case .differential: DifferentialFuzz.run(bytes)
        case .routes: RouteFuzz.run(bytes)
        case .policy: PolicyFuzz.run(bytes)
        case .expression: ExpressionFuzz.run(bytes)
        }
    }

    static let chosen: FuzzTarget = {
        let name = ProcessInfo.processInfo.environment["GATEHOUSE_FUZZ_TARGET"] ?? ""
        guard let target = FuzzTarget(rawValue: name) else {
            FileHandle.standardError.write(
                Data("GATEHOUSE_FUZZ_TARGET must be one of \(allCases.map(\.rawValue).joined(separator: ", "))\n".utf8)
            )
            exit(2)
        }
        return target
    }()
}

/// libFuzzer's driver, which reads the arguments.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ run: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

@main
enum Entry {
    static func main() {
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        exit(
            runFuzzer(&count, &arguments) { data, count in
                FuzzTarget.chosen.run(UnsafeRawBufferPointer(start: data, count: count))
                return 0
            }
        )
    }
}

/// Ends the run with a finding.
func found(_ words: @autoclosure () -> String, _ bytes: UnsafeRawBufferPointer) -> Never {
    fatalError("\(words()): \(String(decoding: bytes, as: UTF8.self).debugDescription)")
}
