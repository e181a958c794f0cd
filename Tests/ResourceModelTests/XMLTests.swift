import ResourceModel
import Testing

@Suite struct XMLTests {
    @Test func `elements, attributes, entities, comments and CDATA are read`() throws {
        let text =
            "\u{FEFF}<?xml version=\"1.0\"?><!-- c --><a x='1 &amp; 2'><b>t&#x20;&lt;</b><c/><![CDATA[<raw>]]></a>\n"
        let root = try XMLElement(parsing: Array(text.utf8))
        #expect(root.name == "a" && root.attributes == ["x": "1 & 2"] && root.text == "<raw>")
        #expect(root.children.map(\.name) == ["b", "c"] && root.text("b") == "t <")
    }

    @Test(arguments: [
        "", "<a>", "<a></b>", "<a/><b/>", "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "<a>&x;</a>", "<a x=1/>",
        "<a x='1' x='2'/>",
        "<a>&#0;</a>", "text", "<a><!DOCTYPE b></a>", "<a>&#xD800;</a>", "<a", "<a x", "<a x='", "<![CDATA[",
        "<a>&amp</a>",
    ])
    func `what is not well-formed is refused`(_ text: String) {
        #expect(throws: XMLError.self) { try XMLElement(parsing: Array(text.utf8)) }
    }

    @Test func `depth is bounded`() {
        let deep = String(repeating: "<a>", count: 100_000)
        #expect(throws: XMLError.self) { try XMLElement(parsing: Array(deep.utf8)) }
    }

    @Test func `what is written is read back`() throws {
        var text = XMLText()
        text.open("r", [("q", "\"<&\n")])
        text.leaf("v", "a<b>&\"\u{20AC}\r\n")
        text.close("r")
        let root = try XMLElement(parsing: Array(text.text.utf8))
        #expect(root.attributes["q"] == "\"<&\n" && root.text("v") == "a<b>&\"\u{20AC}\r\n")
        #expect(try XMLElement(parsing: Array(root.xml.utf8)) == root)
    }
}
