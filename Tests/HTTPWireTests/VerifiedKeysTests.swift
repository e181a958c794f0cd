import HTTPWire
import Testing

@Suite struct VerifiedKeysTests {
    /// How many values there are.
    private final class Census {
        var living = 0
    }

    private final class Value {
        let number: Int
        private let census: Census?

        init(_ number: Int, _ census: Census? = nil) {
            self.number = number
            self.census = census
            census?.living += 1
        }

        deinit { census?.living -= 1 }
    }

    private func find(_ table: VerifiedKeys, _ key: String) -> Value? {
        var key = key
        return key.withUTF8 { table.find(UnsafeRawBufferPointer($0)) as? Value }
    }

    private func insert(_ table: VerifiedKeys, _ key: String, _ number: Int, _ census: Census? = nil) {
        var key = key
        key.withUTF8 { table.insert(UnsafeRawBufferPointer($0), value: Value(number, census)) }
    }

    @Test func `nearly all of a thousand keys keep their places`() {
        let table = VerifiedKeys()
        #expect(find(table, "key 0") == nil)
        for number in 0..<1000 { insert(table, "key \(number)", number) }
        let found = (0..<1000).filter { (number: Int) in find(table, "key \(number)")?.number == number }.count
        // Four places each: the chance that fewer than 990 stay is below one in a million.
        #expect(found >= 990)
        #expect(find(table, "key 1000") == nil)
    }

    @Test func `a key that comes again and again gets its place, however many there are`() {
        let table = VerifiedKeys()
        for number in 0..<50_000 {
            insert(table, "key \(number)", number)
            if let found = find(table, "key \(number)") { #expect(found.number == number) }
        }
        for number in 50_000..<50_100 {
            var tries = 0
            while find(table, "key \(number)") == nil, tries < 100 {
                insert(table, "key \(number)", number)
                tries += 1
            }
            #expect(tries <= 8)
        }
    }

    @Test func `what it held goes with it, and with what takes its place`() {
        let census = Census()
        do {
            let table = VerifiedKeys()
            for number in 0..<8000 { insert(table, "key \(number)", number, census) }
            // Some 6,500: with four places for four on average, a fifth found none.
            #expect((6200...6800).contains(census.living))
            for number in 8000..<200_000 { insert(table, "key \(number)", number, census) }
            #expect(census.living == 8192)
        }
        #expect(census.living == 0)
    }

    @Test func `a second part belongs to the key, also where it is empty`() {
        let table = VerifiedKeys()
        let parts: [(String, String?)] = [
            ("line", "key"), ("line", ""), ("line", nil), ("lin", "ekey"), ("", "linekey"), ("linekey", nil),
        ]
        func with<Result>(
            _ part: (String, String?),
            _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer?) -> Result
        ) -> Result {
            Array(part.0.utf8).withUnsafeBytes { first in
                guard let second = part.1 else { return body(first, nil) }
                return Array(second.utf8).withUnsafeBytes { body(first, $0) }
            }
        }
        for (number, part) in parts.enumerated() {
            #expect(with(part) { table.find($0, $1) } == nil)
            with(part) { table.insert($0, $1, value: Value(number)) }
        }
        for (number, part) in parts.enumerated() {
            #expect(with(part) { table.find($0, $1) as? Value }?.number == number)
        }
        #expect(with(("line", "kez")) { table.find($0, $1) } == nil)
    }

    @Test func `long keys are not remembered`() {
        let table = VerifiedKeys()
        let long = String(repeating: "k", count: 513)
        insert(table, long, 1)
        #expect(find(table, long) == nil)
    }
}
