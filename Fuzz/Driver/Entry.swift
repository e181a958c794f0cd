import Foundation
import FuzzTargets

/// libFuzzer's driver, which reads the arguments.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ run: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

@main
enum Entry {
    private static let target: FuzzTarget = {
        let name = ProcessInfo.processInfo.environment["GATEHOUSE_FUZZ_TARGET"] ?? ""
        guard let target = FuzzTarget(rawValue: name) else {
            let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
            FileHandle.standardError.write(Data("GATEHOUSE_FUZZ_TARGET must be one of \(names)\n".utf8))
            exit(2)
        }
        return target
    }()

    static func main() {
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        exit(runFuzzer(&count, &arguments, judge))
    }

    /// A function of its own: as a closure of `main` it ends the compiler (6.3.1, its check of regions).
    private static let judge: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32 = { data, count in
        do { try target.run(UnsafeRawBufferPointer(start: data, count: count)) } catch { fatalError("\(error)") }
        return 0
    }
}
