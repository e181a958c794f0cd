import Mustache
package import ResourceModel

/// The templates of all pages, read once at the start.
package struct PageTemplates: Sendable {
    private static let folder = "templates/"
    private static let sharedFolder = "templates/shared/"

    private let library: MustacheLibrary
    private let names: Set<String>

    /// - Throws: `PageGroundError` that names the template that cannot be read, or that includes one that is not there.
    package init(_ assets: Assets = .compiled) throws(PageGroundError) {
        var library = MustacheLibrary()
        var included: [(template: String, partial: String)] = []
        var names: Set<String> = []
        for asset in assets.all(under: Self.folder) {
            let isShared = asset.name.hasPrefix(Self.sharedFolder)
            let name = String(asset.name.dropFirst((isShared ? Self.sharedFolder : Self.folder).count))
            guard names.insert(name).inserted else { throw PageGroundError("Two templates are called \"\(name)\".") }
            let text = String(decoding: asset.plainBytes, as: UTF8.self)
            do { try library.register(text, named: name) } catch {
                throw PageGroundError("The template \"\(name)\" cannot be read: \(error)")
            }
            for partial in Self.partials(text) { included.append((name, partial)) }
        }
        // The library shows nothing where a partial is missing.
        for (template, partial) in included where !names.contains(partial) {
            throw PageGroundError("The template \"\(template)\" includes \"\(partial)\", which is not there.")
        }
        self.library = library
        self.names = names
    }

    package func has(_ name: String) -> Bool { names.contains(name) }

    /// - Returns: nil where there is no such template.
    package func render(_ name: String, _ model: JSONValue) -> String? { library.render(model, withTemplate: name) }

    /// Names of the templates that a template includes, `{{> name}}`.
    static func partials(_ text: String) -> [String] {
        text.split(separator: "{{").compactMap { piece in
            guard piece.first == ">" else { return nil }
            return piece.dropFirst().prefix { $0 != "}" }.split(separator: " ").first.map(String.init)
        }
    }
}

/// What is wrong with what pages are made of; a start ends with it.
package struct PageGroundError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
