import HTTPWire
import Testing

@Suite struct VerifiedKeysTests {
    private final class Value {
        let number: Int
        init(_ number: Int) { self.number = number }
    }

    private func find(_ table: VerifiedKeys, _ key: String) -> Int? {
        var key = key
        return key.withUTF8 { table.find(UnsafeRawBufferPointer($0)) as? Value }?.number
    }

    private func insert(_ table: inout VerifiedKeys, _ key: String, _ number: Int) {
        var key = key
        key.withUTF8 { table.insert(UnsafeRawBufferPointer($0), Value(number)) }
    }

    @Test func `nearly all of a thousand keys keep their places`() {
        var table = VerifiedKeys()
        #expect(find(table, "key 0") == nil)
        for number in 0..<1000 { insert(&table, "key \(number)", number) }
        let found = (0..<1000).filter { (number: Int) in find(table, "key \(number)") == number }.count
        // Four places each: the chance that fewer than 990 stay is below one in a million.
        #expect(found >= 990)
        #expect(find(table, "key 1000") == nil)
    }

    @Test func `the newest key is always there, however many came before`() {
        var table = VerifiedKeys()
        for number in 0..<50_000 {
            insert(&table, "key \(number)", number)
            #expect(find(table, "key \(number)") == number)
        }
        table.removeAll()
        #expect(find(table, "key 49999") == nil)
    }

    @Test func `long keys are not remembered`() {
        var table = VerifiedKeys()
        let long = String(repeating: "k", count: 513)
        insert(&table, long, 1)
        #expect(find(table, long) == nil)
    }
}
