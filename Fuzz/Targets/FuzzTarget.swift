/// The readers that are fuzzed; GATEHOUSE_FUZZ_TARGET names one for libFuzzer, and the unit tests replay the corpus of each.
package enum FuzzTarget: String, CaseIterable, Sendable {
    case codec, differential, routes, policy, expression

    /// Tries one input.
    ///
    /// - Throws: a ``Finding`` where what was read contradicts itself or another reader; an input that is refused is none.
    package func run(_ bytes: UnsafeRawBufferPointer) throws {
        switch self {
        case .codec: try CodecFuzz.run(bytes)
        case .differential: try DifferentialFuzz.run(bytes)
        case .routes: try RouteFuzz.run(bytes)
        case .policy: try PolicyFuzz.run(bytes)
        case .expression: try ExpressionFuzz.run(bytes)
        }
    }
}

/// A contradiction that an input brought to light.
struct Finding: Error, CustomStringConvertible {
    let description: String

    init(_ words: String, _ bytes: UnsafeRawBufferPointer) {
        description = "\(words): \(String(decoding: bytes, as: UTF8.self).debugDescription)"
    }
}
