import Mustache
package import ResourceModel
import Synchronization

/// The templates of all pages, each read when a page first needs it: reading all of them would double the time of a start.
///
/// A unit test reads every one, so that none is found broken by a reader.
package final class PageTemplates: Sendable {
    private static let folder = "templates/"
    private static let sharedFolder = "templates/shared/"

    private let assets: [String: Assets.Asset]
    private let read = Mutex(Read())

    /// What was read so far.
    private struct Read {
        var templates: [String: MustacheTemplate] = [:]
        /// By page, with all templates that it includes.
        var libraries: [String: MustacheLibrary] = [:]
    }

    /// - Throws: `PageGroundError` for two templates of one name.
    package init(_ assets: Assets = .compiled) throws(PageGroundError) {
        var byName: [String: Assets.Asset] = [:]
        for asset in assets.all(under: Self.folder) {
            let isShared = asset.name.hasPrefix(Self.sharedFolder)
            let name = String(asset.name.dropFirst((isShared ? Self.sharedFolder : Self.folder).count))
            guard byName.updateValue(asset, forKey: name) == nil else {
                throw PageGroundError("Two templates are called \"\(name)\".")
            }
        }
        self.assets = byName
    }

    package var names: [String] { assets.keys.sorted() }

    /// - Throws: `PageGroundError` that names the template that is missing or cannot be read.
    package func render(_ name: String, _ model: JSONValue) throws(PageGroundError) -> String {
        guard let text = try library(of: name).render(model, withTemplate: name) else {
            throw PageGroundError("The template \"\(name)\" is missing.")
        }
        return text
    }

    private func library(of page: String) throws(PageGroundError) -> MustacheLibrary {
        if let known = read.withLock({ $0.libraries[page] }) { return known }
        // Outside the lock: two that come at once read the same.
        var library = MustacheLibrary()
        var seen: Set<String> = []
        var waiting = [(name: page, includer: page)]
        while let (name, includer) = waiting.popLast() {
            guard seen.insert(name).inserted else { continue }
            // The library shows nothing where a template is missing.
            guard let asset = assets[name] else {
                throw PageGroundError("The template \"\(includer)\" needs \"\(name)\", which is not there.")
            }
            let text = String(decoding: asset.plainBytes, as: UTF8.self)
            library.register(try template(name, text), named: name)
            waiting += Self.partials(text).map { ($0, name) }
        }
        read.withLock { $0.libraries[page] = library }
        return library
    }

    private func template(_ name: String, _ text: String) throws(PageGroundError) -> MustacheTemplate {
        if let known = read.withLock({ $0.templates[name] }) { return known }
        do {
            let template = try MustacheTemplate(string: text)
            read.withLock { $0.templates[name] = template }
            return template
        } catch { throw PageGroundError("The template \"\(name)\" cannot be read: \(error)") }
    }

    /// Names of the templates that a template includes, `{{> name}}`.
    static func partials(_ text: String) -> [String] {
        text.split(separator: "{{").compactMap { piece in
            guard piece.first == ">" else { return nil }
            return piece.dropFirst().prefix { $0 != "}" }.split(separator: " ").first.map(String.init)
        }
    }
}

/// What is wrong with what pages are made of.
package struct PageGroundError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
