extension JSONValue {
    /// About how many bytes the document has as a text, escapes not counted.
    ///
    /// - Parameter limit: counting ends soon beyond it, so that it costs no more than what is allowed.
    package func byteCount(upTo limit: Int) -> Int {
        var count = 0
        add(to: &count, limit)
        return count
    }

    private func add(to count: inout Int, _ limit: Int) {
        guard count <= limit else { return }
        switch self {
        case .null, .bool, .int, .double: count += 8
        case .string(let text): count += text.utf8.count + 2
        case .array(let items):
            count += 2
            for item in items where count <= limit { item.add(to: &count, limit) }
        case .object(let object):
            count += 2
            for member in object.members where count <= limit {
                count += member.name.utf8.count + 4
                member.value.add(to: &count, limit)
            }
        }
    }
}
