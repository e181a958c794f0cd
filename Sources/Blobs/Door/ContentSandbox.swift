import Foundation

/// Keeps what is stored in blobs from acting as a page of this installation.
///
/// A document that a browser opens from the blobs door shares its host with the other doors, and browsers send cookies to every port
/// of a host. The sandbox takes scripts, forms and the origin away from it; clients that are no browsers see one more field.
enum ContentSandbox {
    /// Content types that no browser runs anything of, beside pictures, sound, films and fonts.
    ///
    /// A sandbox would keep browsers from
    /// showing PDF, whose scripts have no origin.
    private static let inertTypes: Set<String> = [
        "application/gzip", "application/json", "application/octet-stream", "application/pdf", "application/zip",
        "text/csv",
        "text/plain", "text/tab-separated-values",
    ]
    private static let inertFamilies: Set<Substring> = ["audio", "font", "image", "video"]

    /// The field that an answer with this content type needs; nil where the type is inert.
    static func field(of contentType: String) -> (name: String, value: String)? {
        isInert(contentType) ? nil : ("Content-Security-Policy", "sandbox")
    }

    /// Whatever cannot be told for sure is not inert: browsers guess at a type that is missing, and take the last of several.
    private static func isInert(_ contentType: String) -> Bool {
        guard !contentType.contains(",") else { return false }
        let essence = contentType.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces).lowercased()
        let parts = essence.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[1].isEmpty else { return false }
        return inertTypes.contains(essence) || inertFamilies.contains(parts[0]) && !parts[1].hasSuffix("xml")
    }
}
