import ResourceModel
import Store

extension BlobDoor {
    /// From this version on an answer holds the tags of the expression, before it one value.
    private static let tagSetVersion = "2020-04-08"

    /// Find Blobs by Tags, over the account or within a container.
    func findBlobs(_ request: BlobRequest) async throws(BlobError) -> BlobReply {
        guard let text = request.parameter("where"), !text.isEmpty else {
            throw BlobError(
                400,
                "MissingRequiredQueryParameter",
                "A query parameter that's mandatory for this request is not specified: where."
            )
        }
        let expression = try TagExpression(text)
        let (limit, stated) = try limit(request)
        let sentMarker = request.parameter("marker") ?? ""
        let marker = ListMarker(sentMarker)
        guard marker != nil || sentMarker.isEmpty else {
            throw .invalidQuery("marker", sentMarker, "it is none of this store.")
        }
        let scope = request.container.isEmpty ? nil : try await store.container(request.account, request.container)
        let search = TagSearch(account: request.account, expression: expression, scope: scope, limit: limit)
        let page = try await store.look { try search.page(after: marker, in: $0) }
        var document = XMLText()
        var attributes = [("ServiceEndpoint", endpoint(request))]
        if let scope { attributes.append(("ContainerName", scope.name)) }
        document.open("EnumerationResults", attributes)
        document.leaf("Where", text)
        if !sentMarker.isEmpty { document.leaf("Marker", sentMarker) }
        document.leaf("MaxResults", optional: stated.map(String.init))
        document.open("Blobs")
        for found in page.found { write(found, expression, request.version, to: &document) }
        document.close("Blobs")
        document.leaf("NextMarker", page.next?.text ?? "")
        document.close("EnumerationResults")
        return .xml(document.text)
    }

    private func write(
        _ found: TagSearch.Found,
        _ expression: TagExpression,
        _ version: String,
        to text: inout XMLText
    ) {
        let asked = expression.conditions.map(\.tag)
        text.open("Blob")
        text.name("Name", found.blob.name)
        text.leaf("ContainerName", found.container)
        if version >= Self.tagSetVersion {
            text.open("Tags")
            BlobTags.write(JSONObject(found.blob.tags.members.filter { asked.contains($0.0) }), to: &text)
            text.close("Tags")
        } else {
            text.leaf("TagValue", asked.first.flatMap { found.blob.tags[$0]?.string } ?? "")
        }
        text.close("Blob")
    }
}
