import CYaml
import ResourceModel

/// The events of a YAML text, one after another, as libyaml reads them.
///
/// The library above it puts documents together without a bound and by hashing whole mappings, so that it is not used for what comes from
/// outside.
final class YAMLEvents {
    enum Event {
        case streamStart
        case documentStart
        case documentEnd
        case streamEnd
        case alias(String)
        case scalar(YAMLScalar, anchor: String?)
        case sequenceStart(anchor: String?)
        case sequenceEnd
        case mappingStart(anchor: String?)
        case mappingEnd
    }

    private static let textTag = "tag:yaml.org,2002:str"

    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeMutableBufferPointer<UInt8>

    init(_ text: String) {
        parser = .allocate(capacity: 1)
        yaml_parser_initialize(parser)
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        var text = text
        input = text.withUTF8 { bytes in
            let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
            _ = copy.initialize(from: bytes)
            return copy
        }
        yaml_parser_set_input_string(parser, input.baseAddress, input.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        input.deallocate()
    }

    /// Where the parser stands, for messages.
    var line: Int { parser.pointee.mark.line + 1 }

    func next() throws(YAMLDocument.YAMLError) -> Event {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw problem }
        defer { yaml_event_delete(&event) }
        switch event.type {
        case YAML_STREAM_START_EVENT: return .streamStart
        case YAML_DOCUMENT_START_EVENT: return .documentStart
        case YAML_DOCUMENT_END_EVENT: return .documentEnd
        case YAML_ALIAS_EVENT: return .alias(Self.text(event.data.alias.anchor) ?? "")
        case YAML_SEQUENCE_START_EVENT: return .sequenceStart(anchor: Self.text(event.data.sequence_start.anchor))
        case YAML_SEQUENCE_END_EVENT: return .sequenceEnd
        case YAML_MAPPING_START_EVENT: return .mappingStart(anchor: Self.text(event.data.mapping_start.anchor))
        case YAML_MAPPING_END_EVENT: return .mappingEnd
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            // Only bare words may be something other than texts.
            let isBare = scalar.style == YAML_PLAIN_SCALAR_STYLE && Self.text(scalar.tag) != Self.textTag
            return .scalar(YAMLScalar(text: text, isBare: isBare), anchor: Self.text(scalar.anchor))
        default: return .streamEnd
        }
    }

    private var problem: YAMLDocument.YAMLError {
        let text = parser.pointee.problem.map { String(cString: $0) } ?? "it cannot be read"
        // The library reads ahead, and has a bound of its own.
        guard !text.hasPrefix("Maximum nesting level") else {
            return .tooDeep(line: parser.pointee.problem_mark.line + 1)
        }
        return YAMLDocument.YAMLError(message: "\(text), line \(parser.pointee.problem_mark.line + 1).")
    }

    private static func text(_ bytes: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        bytes.map { String(cString: $0) }
    }
}

/// A value that is no collection, by the core schema of YAML 1.2.
struct YAMLScalar {
    let text: String
    /// Whether it is written without quotes, and so may be something other than a text.
    let isBare: Bool

    var value: JSONValue {
        guard isBare else { return .string(text) }
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: return number ?? .string(text)
        }
    }

    private var number: JSONValue? {
        guard let first = text.utf8.first, "+-.0123456789".utf8.contains(first) else { return nil }
        for (mark, radix) in [("0x", 16), ("0o", 8)] where text.hasPrefix(mark) {
            let digits = text.dropFirst(2)
            guard let head = digits.utf8.first, head != 0x2B, head != 0x2D else { return nil }
            return Int(digits, radix: radix).map { .int($0) }
        }
        if let whole = Int(text) { return .int(whole) }
        // A number has digits, one point at most, and an exponent of digits; Swift's reader knows more forms.
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) }),
            text.utf8.contains(where: { (0x30...0x39).contains($0) })
        else { return nil }
        return Self.double(text).map { .double($0) }
    }

    private static func double(_ text: String) -> Double? {
        var text = text[...]
        if text.hasSuffix(".") { text = text.dropLast() }
        guard let number = Double(text), number.isFinite else { return nil }
        return number
    }
}
