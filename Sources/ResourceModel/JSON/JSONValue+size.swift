extension JSONValue {
    /// About how many bytes the document has as a text, escapes not counted.
    ///
    /// - Parameters:
    ///   - limit: counting ends soon beyond it, so that it costs no more than what is allowed.
    ///   - isIndented: of the text over several lines, in which deep values stand far to the right.
    package func byteCount(upTo limit: Int, isIndented: Bool = false) -> Int {
        var count = 0
        add(to: &count, limit, isIndented ? 2 : 0, depth: 1)
        return count
    }

    private func add(to count: inout Int, _ limit: Int, _ indent: Int, depth: Int) {
        guard count <= limit else { return }
        switch self {
        case .null, .bool, .int, .double: count += 8
        case .string(let text): count += text.utf8.count + 2
        case .array(let items):
            count += 2 + indent * depth
            for item in items where count <= limit {
                count += 2 + indent * depth
                item.add(to: &count, limit, indent, depth: depth + 1)
            }
        case .object(let object):
            count += 2 + indent * depth
            for member in object.members where count <= limit {
                count += member.name.utf8.count + 4 + indent * depth
                member.value.add(to: &count, limit, indent, depth: depth + 1)
            }
        }
    }
}
