import ResourceModel

/// Documents of revisions under the ids that they are kept by: a folder may name the current revision of an API by its number.
enum RevisionDocuments {
    /// - Parameter before: what the instance holds.
    static func located(
        _ documents: [ConfigurationDocument],
        _ before: [ConfigurationDocument]
    ) throws(APIError) -> [ConfigurationDocument] {
        guard documents.contains(where: { $0.id.segments.contains { $0.contains(";") } }) else { return documents }
        // What the folder says of an API counts more than what the instance holds of it.
        var current = numbers(before)
        current.merge(numbers(documents)) { _, said in said }
        var located: [ConfigurationDocument] = []
        for document in documents {
            var segments = document.id.segments
            let isPlace = segments.count == 4 && segments[2].lowercased() == "apis"
            let index = isPlace ? 3 : 1
            guard isPlace || segments.count > 1 && segments[0].lowercased() == "apis",
                let name = RevisionName(segments[index])
            else {
                located.append(document)
                continue
            }
            let isCurrent = current[name.api.lowercased()] ?? "1" == name.number
            guard isCurrent || isPlace || segments.count > 2 && RevisionPath.isOfAll(segments[2]) else {
                located.append(document)
                continue
            }
            segments[index] = name.api
            var properties = document.properties
            if segments.count == 2 { properties["apiRevision"] = .string(name.number) }
            if !isCurrent, segments.count == 4, segments[2].lowercased() == "releases" {
                try RevisionPath.takeRevision(name, &properties)
            }
            located.append(ConfigurationDocument(id: ResourceID(segments), properties: properties))
        }
        return located
    }

    /// The number of each API's current revision.
    private static func numbers(_ documents: [ConfigurationDocument]) -> [String: String] {
        var numbers: [String: String] = [:]
        for document in documents
        where document.id.type.lowercased() == "apis" && RevisionName(document.id.name) == nil {
            numbers[document.id.name.lowercased()] = document.properties["apiRevision"]?.string
        }
        return numbers
    }
}
