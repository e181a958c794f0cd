import Foundation
import Portals
import ResourceModel
import Testing

@Suite struct WordsTests {
    private static let catalogue = Result { try WordCatalogue() }

    /// All texts of a tree by their keys.
    private static func texts(_ value: JSONValue, _ key: String = "") -> [String: String] {
        switch value {
        case .string(let text): [key: text]
        case .object(let object):
            object.members.reduce(into: [:]) { all, member in
                all.merge(texts(member.value, key.isEmpty ? member.name : "\(key).\(member.name)")) { $1 }
            }
        default: [key: "\(value.kind) is no text"]
        }
    }

    private static func parts(_ text: String) -> Set<Substring> {
        Set(text.matches(of: /\{([A-Za-z]+)\}/).map(\.output.1))
    }

    @Test func `both languages say the same things with the same parts`() throws {
        let catalogue = try Self.catalogue.get()
        let english = Self.texts(catalogue[.english].tree)
        let spanish = Self.texts(catalogue[.spanish].tree)
        #expect(Set(english.keys).symmetricDifference(spanish.keys).sorted() == [])
        for (key, text) in english {
            // A single thing may be told without its number.
            guard !key.hasSuffix(".one"), let other = spanish[key] else { continue }
            #expect(Self.parts(text) == Self.parts(other), "\(key)")
        }
    }

    @Test func `templates name words that are there`() throws {
        let words = try Self.catalogue.get()[.english]
        for asset in Assets.compiled.all(under: "templates/") {
            let text = String(decoding: asset.plainBytes, as: UTF8.self)
            for found in text.matches(of: /\{\{\s*t\.([A-Za-z0-9.]+)\s*\}\}/) {
                #expect(words.has(String(found.output.1)), "\(asset.name): t.\(found.output.1)")
            }
        }
    }

    @Test func `handlers name words that are there`() throws {
        let words = try Self.catalogue.get()[.english]
        for (file, text) in try Self.handlers() {
            for found in text.matches(of: /(?:text|has)\("([a-z][A-Za-z]*\.[A-Za-z0-9.]+)"(, count:)?/) {
                let key = String(found.output.1) + (found.output.2 == nil ? "" : ".other")
                #expect(words.has(key), "\(file): \(found.output.1)")
            }
        }
    }

    /// The Swift of the room; tests run in its package.
    private static func handlers() throws -> [(file: String, text: String)] {
        let room = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Sources/Portals")
        let files = FileManager.default.enumerator(atPath: room.path)?.compactMap { $0 as? String } ?? []
        return try files.filter { $0.hasSuffix(".swift") }.map {
            ($0, try String(contentsOf: room.appending(path: $0), encoding: .utf8))
        }
    }

    @Test func `a part is never taken for another's name`() {
        let words = Words(language: .english, tree: ["a": ["b": "{one} and {two}, {three} {"]])
        #expect(words.text("a.b", ["one": "{two}", "two": "<b>"]) == "{two} and <b>, {three} {")
        #expect(words.text("a.c") == "a.c")
    }

    @Test func `numbers choose their words`() {
        let words = Words(language: .spanish, tree: ["apis": ["one": "una API", "other": "{count} API"]])
        #expect(words.text("apis", count: 1) == "una API")
        #expect(words.text("apis", count: 12_000) == "12.000 API")
    }
}
