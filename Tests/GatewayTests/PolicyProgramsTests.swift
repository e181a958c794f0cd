import Gateway
import Policies
import Testing

@Suite struct PolicyProgramsTests {
    private func document(_ value: String) throws -> PolicyDocument {
        try PolicyDocument(
            "<policies><inbound><set-header name=\"X\"><value>\(value)</value></set-header></inbound></policies>",
            isRaw: true,
            scope: .global,
            owner: "",
            surroundings: PolicySurroundings()
        )
    }

    @Test func `what the same documents make is one program, and lasts while it is asked for`() throws {
        var programs = PolicyPrograms()
        func ask(_ documents: [PolicyDocument]) -> PolicyProgram? { programs.program(documents) }
        #expect(ask([.forwarding]) == nil)
        let documents = [PolicyDocument.forwarding, try document("1")]
        let first = ask(documents)
        let same = try document("1")
        #expect(first != nil && ask(documents) === first)
        #expect(ask([.forwarding, same]) !== first, "another document of the same text")
        _ = programs.age()
        #expect(ask(documents) === first)
        _ = programs.age()
        _ = programs.age()
        #expect(ask(documents) !== first, "forgotten, since nobody asked between two changes")
    }
}
