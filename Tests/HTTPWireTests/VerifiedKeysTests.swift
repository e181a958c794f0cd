import HTTPWire
import Testing

@Suite struct VerifiedKeysTests {
    private final class Value {
        let number: Int
        init(_ number: Int) { self.number = number }
    }

    private func find(_ table: VerifiedKeys, _ key: String) -> Value? {
        var key = key
        return key.withUTF8 { table.find(UnsafeRawBufferPointer($0)) as? Value }
    }

    private func insert(_ table: VerifiedKeys, _ key: String, _ number: Int) {
        var key = key
        key.withUTF8 { table.insert(UnsafeRawBufferPointer($0), Value(number)) }
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

    @Test func `the newest key is always there, however many came before`() {
        let table = VerifiedKeys()
        for number in 0..<50_000 {
            insert(table, "key \(number)", number)
            #expect(find(table, "key \(number)")?.number == number)
        }
    }

    @Test func `what it held goes with it, and with what takes its place`() {
        weak var first: Value?
        weak var last: Value?
        do {
            let table = VerifiedKeys()
            func insert(_ key: StaticString) -> Value {
                let value = Value(1)
                table.insert(UnsafeRawBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount), value)
                return value
            }
            first = insert("first")
            last = insert("")
            #expect(first != nil && find(table, "first") === first && find(table, "") === last)
            // So many that every place was taken anew.
            for number in 0..<100_000 { self.insert(table, "key \(number)", number) }
            #expect(first == nil)
            last = insert("last")
            #expect(last != nil)
        }
        #expect(last == nil)
    }

    @Test func `long keys are not remembered`() {
        let table = VerifiedKeys()
        let long = String(repeating: "k", count: 513)
        insert(table, long, 1)
        #expect(find(table, long) == nil)
    }
}
