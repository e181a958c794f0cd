package import Store

/// What `where` of Find Blobs by Tags asks for: conditions on tags that hold together, and perhaps one container.
///
/// The grammar is the service's: `"name" = 'value' AND @container = 'name'`, with `=`, `<`, `<=`, `>` and `>=` on values that
/// compare byte by byte. A name that is a plain word needs no quotes; two quotes within quotes are one.
package struct TagExpression: Sendable {
    /// Conditions of one expression, one or two of them a tag: as many tags as a blob has.
    static let tagsMax = 10

    package private(set) var conditions: [TagQuery.Condition] = []
    package private(set) var container: String?

    private enum Token: Equatable {
        case word(String)
        /// In double quotes: a tag's name.
        case name(String)
        /// In single quotes.
        case value(String)
        case comparison(String)
        case containerMark
    }

    /// - Throws: 400 that says what is wrong, and where.
    package init(_ text: String) throws(BlobError) {
        var tokens = try Self.tokens(text)[...]
        repeat {
            try take(&tokens)
            guard let next = tokens.popFirst() else { break }
            guard case .word(let word) = next, word.uppercased() == "AND" else {
                throw Self.error(text, "conditions are joined by AND.")
            }
        } while true
        guard !conditions.isEmpty else { throw Self.error(text, "there must be a condition on a tag.") }
        guard conditions.count <= Self.tagsMax else {
            throw Self.error(text, "there are at most \(Self.tagsMax) tags.")
        }
    }

    /// Reads one condition.
    private mutating func take(_ tokens: inout ArraySlice<Token>) throws(BlobError) {
        let subject = tokens.popFirst()
        guard case .comparison(let comparison)? = tokens.popFirst(), case .value(let value)? = tokens.popFirst() else {
            throw Self.error("", "a condition is a tag, one of = < <= > >=, and a value in single quotes.")
        }
        switch subject {
        case .containerMark:
            guard comparison == "=", container == nil else {
                throw Self.error("@container", "it is compared once, by =.")
            }
            container = value
        case .word(let tag), .name(let tag): try add(tag, comparison, value)
        default: throw Self.error("", "a condition begins with the name of a tag, or with @container.")
        }
    }

    private mutating func add(_ tag: String, _ comparison: String, _ value: String) throws(BlobError) {
        let before = conditions.firstIndex { $0.tag.utf8.elementsEqual(tag.utf8) }
        var condition = before.map { conditions[$0] } ?? TagQuery.Condition(tag: tag)
        let hasLower = condition.atLeast != nil || condition.above != nil
        let hasUpper = condition.atMost != nil || condition.below != nil
        let isLower = comparison.hasPrefix(">") || comparison == "="
        let isUpper = comparison.hasPrefix("<") || comparison == "="
        guard !(hasLower && isLower), !(hasUpper && isUpper) else {
            throw Self.error(tag, "a tag is compared once from each side.")
        }
        switch comparison {
        case ">": condition.above = value
        case ">=": condition.atLeast = value
        case "<": condition.below = value
        case "<=": condition.atMost = value
        default:
            condition.atLeast = value
            condition.atMost = value
        }
        if let before { conditions[before] = condition } else { conditions.append(condition) }
    }

    // MARK: - Tokens

    private static func tokens(_ text: String) throws(BlobError) -> [Token] {
        var tokens: [Token] = []
        var rest = text.unicodeScalars[...]
        while let first = rest.first {
            switch first {
            case " ", "\t", "\r", "\n": rest = rest.dropFirst()
            case "'", "\"":
                let word = try quoted(&rest, text)
                tokens.append(first == "'" ? .value(word) : .name(word))
            case "=", "<", ">":
                var sign = String(Character(first))
                rest = rest.dropFirst()
                if first != "=", rest.first == "=" {
                    sign += "="
                    rest = rest.dropFirst()
                }
                tokens.append(.comparison(sign))
            case "@":
                rest = rest.dropFirst()
                guard word(&rest).lowercased() == "container" else {
                    throw error(text, "only @container begins with @.")
                }
                tokens.append(.containerMark)
            default:
                let word = word(&rest)
                guard !word.isEmpty, !("0"..."9").contains(first) else {
                    throw error(
                        text,
                        "a name with other characters than letters, digits and _ stands in double quotes."
                    )
                }
                tokens.append(.word(word))
            }
        }
        return tokens
    }

    private static func word(_ rest: inout Substring.UnicodeScalarView) -> String {
        let word = rest.prefix { scalar in
            ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar)
                || scalar == "_"
        }
        rest = rest.dropFirst(word.count)
        return String(word)
    }

    private static func quoted(_ rest: inout Substring.UnicodeScalarView, _ text: String) throws(BlobError) -> String {
        guard let quote = rest.popFirst() else { return "" }
        var word = String.UnicodeScalarView()
        while let scalar = rest.popFirst() {
            guard scalar == quote else {
                word.append(scalar)
                continue
            }
            guard rest.first == quote else { return String(word) }
            word.append(quote)
            rest = rest.dropFirst()
        }
        throw error(text, "a quote is not closed.")
    }

    private static func error(_ text: String, _ rule: String) -> BlobError { .invalidQuery("where", text, rule) }
}

/// A search for blobs by their tags over the containers of an account, or within one, page by page.
package struct TagSearch: Sendable {
    package struct Found: Sendable {
        package let container: String
        package let blob: BlobRecord
    }

    package struct Page: Sendable {
        package var found: [Found] = []
        /// Where the search goes on, where more may follow.
        package var next: ListMarker?
    }

    /// Containers looked through for one page: a page of an account with more ends early, with a marker, so that no call costs
    /// more than this many looks.
    static let containersMax = 1000
    private static let containersPerLook = 100

    let account: String
    let expression: TagExpression
    /// The one container of the address, where the search is within one.
    let scope: ContainerRecord?
    let limit: Int

    package init(account: String, expression: TagExpression, scope: ContainerRecord?, limit: Int) {
        self.account = account
        self.expression = expression
        self.scope = scope
        self.limit = limit
    }

    /// - Parameter marker: `container/name` of what was shown last.
    package func page(after marker: ListMarker?, in transaction: any BlobTransaction) throws -> Page {
        var page = Page()
        let (first, name) = Self.parts(marker)
        if let scope {
            if expression.container.map({ $0 == scope.name }) ?? true {
                _ = try search(scope, after: first == scope.name ? name : "", &page, transaction)
            }
            return page
        }
        if let only = expression.container {
            guard let container = try transaction.container(account, only) else { return page }
            _ = try search(container, after: first == only ? name : "", &page, transaction)
            return page
        }
        var from = first
        var looked = 0
        while true {
            let containers = try transaction.containers(
                account,
                prefix: "",
                from: from,
                limit: Self.containersPerLook + 1
            )
            for container in containers.prefix(Self.containersPerLook) {
                guard try search(container, after: container.name == first ? name : "", &page, transaction) else {
                    return page
                }
                looked += 1
            }
            guard containers.count > Self.containersPerLook, let next = containers.last else { return page }
            from = next.name
            guard looked < Self.containersMax else {
                page.next = ListMarker(.after("\(next.name)/", snapshot: nil))
                return page
            }
        }
    }

    /// Adds what a container has.
    ///
    /// - Returns: whether there is room for more.
    private func search(
        _ container: ContainerRecord,
        after name: String,
        _ page: inout Page,
        _ transaction: any BlobTransaction
    ) throws -> Bool {
        let room = limit - page.found.count
        let query = TagQuery(container: container.id, conditions: expression.conditions, after: name, limit: room + 1)
        let found = try transaction.blobs(tagged: query)
        page.found += found.prefix(room).map { Found(container: container.name, blob: $0) }
        guard found.count > room else { return true }
        page.next = page.found.last.map { ListMarker(.after("\($0.container)/\($0.blob.name)", snapshot: nil)) }
        return false
    }

    private static func parts(_ marker: ListMarker?) -> (container: String, name: String) {
        guard case .after(let text, _)? = marker?.start else { return ("", "") }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        return (parts[0], parts.count > 1 ? parts[1] : "")
    }
}
