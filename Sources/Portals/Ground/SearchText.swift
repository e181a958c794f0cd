import Foundation

/// Text as it is compared where people look for something: without case and accents.
enum SearchText {
    static func folded(_ text: String) -> String {
        // No locale: the same answer on every machine.
        text.folding(options: [.caseInsensitive, .diacriticInsensitive], locale: nil)
    }
}
