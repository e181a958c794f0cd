import Foundation
import Portals
import ResourceModel
import Testing

/// Every template shows its page's examples, in both languages.
@Suite struct ExamplesTests {
    private struct Example {
        let page: String
        let variant: JSONValue
    }

    private static let room = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources/Portals")

    private static func json(_ name: String) throws -> JSONValue {
        try JSONValue(parsing: Array(try Data(contentsOf: room.appending(path: name))))
    }

    private static func examples() throws -> [Example] {
        let pages = try FileManager.default.contentsOfDirectory(atPath: room.appending(path: "Pages").path).sorted()
        return try pages.flatMap { page -> [Example] in
            let name = "Pages/\(page)/\(page).example.json"
            guard FileManager.default.fileExists(atPath: room.appending(path: name).path) else { return [] }
            let read = try json(name)
            return (read.array ?? [["page": read]]).map { Example(page: page, variant: $0) }
        }
    }

    private static func model(_ example: Example, _ language: Language) throws -> JSONValue {
        var model = try json("Shared/templates/frame.example.json").object ?? JSONObject()
        for member in example.variant["frame"]?.object?.members ?? [] { model[member.name] = member.value }
        model["page"] = example.variant["page"]
        model["language"] = .string(language.rawValue)
        model["t"] = try WordCatalogue()[language].tree
        model["assets"] = ["styles": ["/a.css"], "modules": ["/a.js"], "icons": "/icons.svg", "mark": "/mark.svg"]
        return .object(model)
    }

    @Test func `every page has a template and examples that it shows`() throws {
        let templates = try PageTemplates()
        let examples = try Self.examples()
        #expect(Set(examples.map(\.page)).count >= 10)
        for example in examples {
            for language in Language.allCases {
                let html = try templates.render(example.page, try Self.model(example, language))
                #expect(html.hasPrefix("<!doctype html>"), "\(example.page)")
                #expect(html.hasSuffix("</html>\n"), "\(example.page)")
                #expect(!html.contains("{{") && !html.contains("}}"), "\(example.page)")
                #expect(Self.unclosed(html) == [], "\(example.page)")
            }
        }
    }

    @Test func `every template can be read`() throws {
        let templates = try PageTemplates()
        for name in templates.names { _ = try templates.render(name, [:]) }
    }

    @Test func `whatever stands in names, addresses and texts is shown and never read as markup`() throws {
        let templates = try PageTemplates()
        for example in try Self.examples() {
            var model = try Self.model(example, .english).object ?? JSONObject()
            let words = model["t"]
            model = Self.poisoned(.object(model)).object ?? JSONObject()
            model["t"] = words
            let html = try templates.render(example.page, .object(model))
            #expect(!html.contains("<b>"), "\(example.page)")
            // In an attribute the quotes would end it.
            #expect(!html.contains(#""onfocus="#), "\(example.page)")
            #expect(!html.contains("'onfocus="), "\(example.page)")
        }
    }

    private static func poisoned(_ value: JSONValue) -> JSONValue {
        switch value {
        case .string: .string(#"<b>"onfocus='onfocus=&"#)
        case .array(let values): .array(values.map(poisoned))
        case .object(let object): .object(JSONObject(object.members.map { ($0.name, poisoned($0.value)) }))
        default: value
        }
    }

    /// Elements that are opened and not closed, or closed and not opened.
    private static func unclosed(_ html: String) -> [String] {
        let alone: Set<Substring> = ["meta", "link", "input", "br", "hr", "img", "!doctype", "col", "wbr"]
        var open: [Substring] = []
        for tag in html.matches(of: /<(\/?)([a-z!][a-z0-9-]*)(?:"[^"]*"|[^">])*?(\/?)>/) {
            let (name, isEnd, isEmpty) = (tag.output.2, !tag.output.1.isEmpty, !tag.output.3.isEmpty)
            if isEmpty || alone.contains(name) { continue }
            guard isEnd else {
                open.append(name)
                continue
            }
            guard open.popLast() == name else { return ["</\(name)> in <\(open.last ?? "")>"] }
        }
        return open.map { "<\($0)>" }
    }
}
