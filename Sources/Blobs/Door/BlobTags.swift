import Foundation
import ResourceModel

/// Tags of a blob: up to ten names with values, as a header or as a document.
enum BlobTags {
    private static let countMax = 10

    /// `name=value&…`, percent-encoded.
    static func parse(header text: String) throws(BlobError) -> JSONObject {
        var tags = JSONObject()
        for item in text.split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let words = parts.compactMap { PercentEncoding.decoded($0.replacing("+", with: " ")) }
            guard words.count == parts.count else {
                throw .invalidHeader("x-ms-tags", String(item), "names and values are percent-encoded UTF-8.")
            }
            try set(&tags, words[0], words.count > 1 ? words[1] : "")
        }
        return tags
    }

    /// `<Tags><TagSet><Tag><Key/><Value/></Tag>…`.
    static func parse(document: XMLElement) throws(BlobError) -> JSONObject {
        guard document.name == "Tags", let set = document["TagSet"] else {
            throw .invalidXML("expected <Tags><TagSet>.")
        }
        var tags = JSONObject()
        for tag in set.children { try self.set(&tags, tag.text("Key") ?? "", tag.text("Value") ?? "") }
        return tags
    }

    private static func set(_ tags: inout JSONObject, _ name: String, _ value: String) throws(BlobError) {
        let isValid = { (text: String) in
            text.unicodeScalars.allSatisfy { scalar in
                ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar)
                    || " +-./:=_".unicodeScalars.contains(scalar)
            }
        }
        guard (1...128).contains(name.count), value.count <= 256, isValid(name), isValid(value), tags[name] == nil
        else {
            throw BlobError(
                400,
                "InvalidTag",
                "The tag \"\(name.prefix(128))\" is invalid: names have 1 to 128 and values up to 256 letters, digits, blanks or + - . / : = _."
            )
        }
        tags[name] = .string(value)
        guard tags.members.count <= countMax else {
            throw BlobError(400, "TagsTooLarge", "A blob has at most \(countMax) tags.")
        }
    }

    static func document(_ tags: JSONObject) -> String {
        var text = XMLText()
        text.open("Tags")
        write(tags, to: &text)
        text.close("Tags")
        return text.text
    }

    static func write(_ tags: JSONObject, to text: inout XMLText) {
        text.open("TagSet")
        for (name, value) in tags.members {
            text.open("Tag")
            text.leaf("Key", name)
            text.leaf("Value", value.string ?? "")
            text.close("Tag")
        }
        text.close("TagSet")
    }
}
