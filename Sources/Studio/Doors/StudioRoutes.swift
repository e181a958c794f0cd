import Blobs
import DataTables
import Foundation
package import HTTPServing
import HTTPTypes
package import Hummingbird
package import ResourceModel
import Store
package import StudioModules

/// The Studio's calls on the portal door, below `/api/workspaces/{ws}` (docs/studio-api.md).
package struct StudioRoutes: Sendable {
    /// Publishes an outcome under a name, over an earlier service of the experiment where there is one.
    package typealias Publish =
        @Sendable (
            _ publication: ScoringPlan.Publication,
            _ name: String,
            _ experiment: String,
            _ workspace: String,
            _ replaces: Bool
        ) async throws -> JSONValue

    private let workspace: Workspace
    private let datasets: DatasetService
    private let experiments: ExperimentService
    private let executor: RunExecutor
    private let publish: Publish

    package init(
        workspace: Workspace,
        datasets: DatasetService,
        experiments: ExperimentService,
        executor: RunExecutor,
        publish: @escaping Publish
    ) {
        self.workspace = workspace
        self.datasets = datasets
        self.experiments = experiments
        self.executor = executor
        self.publish = publish
    }

    package func addRoutes(to router: Router<ServingContext>) {
        let group = router.group("/api/workspaces/:workspace")
            .add(middleware: AccessMiddleware(.workspace, as: .studio))
            .add(middleware: WorkspaceMiddleware(workspace.id))
        group.get("modules") { _, _ -> Response in
            .json(ModulePalette.json)
        }
        group.get("datasets") { _, _ -> Response in
            .json(.array(try await datasets.list().map { Self.dataset($0) }))
        }
        group.post("datasets") { try await createDataset($0, $1) }
        group.post("datasets/import") { request, _ -> Response in
            let body = JSONValue.object(try await request.jsonObject())
            for field in ["Name", "DataTypeId"] where body[field]?.string == nil {
                throw APIError.validation(field, "The field is needed, and is text.")
            }
            let resource = try await datasets.importDataset(
                name: body["Name"]?.string ?? "",
                dataTypeID: body["DataTypeId"]?.string ?? "",
                description: body["Description"]?.string ?? "",
                from: try BlobReferences.Reference(json: body["Source"] ?? .null),
                replacing: body["Replace"]?.bool ?? false
            )
            return .json(Self.dataset(resource), status: 201)
        }
        group.post("datasets/:id/export") { request, context -> Response in
            let body = JSONValue.object(try await request.jsonObject())
            let reference = try BlobReferences.Reference(json: body["Destination"] ?? .null)
            try await datasets.exportDataset(try Self.word(context, "id"), to: reference)
            return .empty(status: 204)
        }
        group.get("datasets/:id") { _, context -> Response in
            .json(Self.dataset(try await datasets.get(try Self.word(context, "id"))))
        }
        group.get("datasets/:id/content") { _, context -> Response in
            let dataset = try await datasets.get(try Self.word(context, "id"))
            return .bytes(try await datasets.bytes(dataset), contentType: "text/plain; charset=utf-8")
        }
        group.delete("datasets/:id") { _, context -> Response in
            try await datasets.delete(try Self.word(context, "id"))
            return .empty(status: 204)
        }
        group.post("samples/:name") { _, context -> Response in
            guard try Self.word(context, "name") == SampleExperiment.name else {
                throw APIError.notFound("There is no sample of this name; there is \(SampleExperiment.name).")
            }
            let (resource, isNew) = try await SampleExperiment(datasets: datasets, experiments: experiments).make()
            return .json(Self.experiment(resource), status: isNew ? 201 : 200)
        }
        addExperimentRoutes(to: group)
        addRunRoutes(to: group)
    }

    private func addExperimentRoutes(to group: RouterGroup<ServingContext>) {
        group.get("experiments") { _, _ -> Response in
            .json(.array(try await experiments.list().map { Self.experiment($0, withDocument: false) }))
        }
        group.post("experiments") { request, _ -> Response in
            let document = JSONValue.object(try await request.jsonObject())
            return .json(Self.experiment(try await experiments.put(document, id: nil).resource), status: 201)
        }
        group.get("experiments/:id") { _, context -> Response in
            .json(Self.experiment(try await experiments.get(try Self.word(context, "id"))))
        }
        group.put("experiments/:id") { request, context -> Response in
            let document = JSONValue.object(try await request.jsonObject())
            let (resource, isNew) = try await experiments.put(document, id: try Self.word(context, "id"))
            return .json(Self.experiment(resource), status: isNew ? 201 : 200)
        }
        group.delete("experiments/:id") { _, context -> Response in
            try await experiments.delete(try Self.word(context, "id"))
            return .empty(status: 204)
        }
        group.post("experiments/:id/webservice") { try await publishService($0, $1) }
        group.get("experiments/:id/outputdata/:node/:port") { try await outputData($0, $1) }
    }

    private func addRunRoutes(to group: RouterGroup<ServingContext>) {
        group.post("experiments/:id/runs") { _, context -> Response in
            .json(Self.run(try await experiments.run(try Self.word(context, "id")), []), status: 202)
        }
        group.get("experiments/:id/runs") { _, context -> Response in
            .json(.array(try await experiments.runs(try Self.word(context, "id")).map { Self.run($0, []) }))
        }
        group.get("experiments/:id/runs/:run") { _, context -> Response in
            let (item, steps) = try await experiments.run(try Self.word(context, "id"), try Self.word(context, "run"))
            return .json(Self.run(item, steps))
        }
        group.delete("experiments/:id/runs/:run") { _, context -> Response in
            try await experiments.cancel(try Self.word(context, "id"), try Self.word(context, "run"))
            return .empty(status: 204)
        }
    }

    // MARK: - Calls

    private func createDataset(_ request: Request, _ context: ServingContext) async throws -> Response {
        guard let name = request.query("name") else { throw APIError.validation("name", "The query needs a name.") }
        guard let type = request.query("dataTypeId") else {
            throw APIError.validation("dataTypeId", "The query needs a dataTypeId, as GenericCSV.")
        }
        let resource = try await datasets.create(
            name: name,
            dataTypeID: type,
            description: request.query("description") ?? "",
            bytes: try await request.bodyBytes(max: DatasetService.bytesMax),
            replacing: request.query("replace")?.lowercased() == "true"
        )
        return .json(Self.dataset(resource), status: 201)
    }

    private func publishService(_ request: Request, _ context: ServingContext) async throws -> Response {
        let experiment = try await experiments.get(try Self.word(context, "id"))
        guard let run = try await experiments.lastFinishedRun(experiment.id.name) else {
            throw APIError.conflict("The experiment has not run successfully; run it before publishing.")
        }
        let document = experiment.properties["Document"] ?? .null
        guard run.payload["Document"] == document else {
            throw APIError.conflict("The experiment was changed after its last run; run it again before publishing.")
        }
        let graph = try await experiments.check(document)
        let outcome = try await executor.outputs(graph)
        if let failure = outcome.failure {
            throw APIError.conflict("Node \"\(failure.node)\": \(failure.error.description)")
        }
        let publication: ScoringPlan.Publication
        do { publication = try ScoringPlan.publish(graph, outputs: outcome.outputs) } catch {
            throw APIError.badRequest(error.description)
        }
        let replaces = request.query("updateExistingWebService")?.lowercased() == "true"
        return .json(try await publish(publication, graph.name, experiment.id.name, workspace.id, replaces))
    }

    /// The output of a node's port, of the last run's document: CSV, or `format=sparse` for tables too wide for it.
    private func outputData(_ request: Request, _ context: ServingContext) async throws -> Response {
        let experiment = try await experiments.get(try Self.word(context, "id"))
        guard let run = try await experiments.lastFinishedRun(experiment.id.name) else {
            throw APIError.conflict("The experiment has not run successfully.")
        }
        let graph = try await experiments.check(run.payload["Document"] ?? .null)
        let (node, port) = (try Self.word(context, "node"), try Self.word(context, "port"))
        guard let place = graph.place(of: node),
            let portPlace = ExperimentGraph.outputPorts(graph.nodes[place].work).firstIndex(where: { $0.name == port })
        else { throw APIError.notFound("The experiment has no port \"\(port)\" at a node \"\(node)\".") }
        let outcome = try await executor.outputs(graph)
        guard let values = outcome.outputs[place], let table = values[portPlace].table else {
            throw APIError.notFound("The port carries no table.")
        }
        if request.query("format")?.lowercased() == "sparse" {
            return .bytes(SparseText.write(table), contentType: "application/x-ndjson")
        }
        guard table.columnCount <= DelimitedTable.columnsMax else {
            throw APIError.badRequest(
                "The table has \(table.columnCount) columns, too many for CSV; ask with format=sparse."
            )
        }
        var text: [UInt8] = []
        DelimitedTable.write(table, format: .csv, to: &text)
        return .bytes(text, contentType: "text/csv; charset=utf-8")
    }

    // MARK: - Documents

    private static func dataset(_ resource: Resource) -> JSONValue {
        var object: JSONObject = ["Id": .string(resource.id.name)]
        for member in resource.properties.members where member.name != "Content" { object[member.name] = member.value }
        return .object(object)
    }

    private static func experiment(_ resource: Resource, withDocument: Bool = true) -> JSONValue {
        var object: JSONObject = ["ExperimentId": .string(resource.id.name), "Etag": .string(resource.etag)]
        for member in resource.properties.members where withDocument || member.name != "Document" {
            object[member.name] = member.value
        }
        return .object(object)
    }

    private static func run(_ item: WorkItem, _ steps: [WorkStep]) -> JSONValue {
        [
            "RunId": .string(item.id), "ExperimentId": .string(item.subject), "State": .string(item.state.rawValue),
            "Error": JSONValue(item.error), "CreatedAt": .double(item.createdAt), "StartedAt": time(item.startedAt),
            "EndedAt": time(item.endedAt),
            "Nodes": .array(
                steps.map { step in
                    [
                        "Node": .string(step.step), "State": .string(step.state), "StartedAt": time(step.startedAt),
                        "EndedAt": time(step.endedAt), "Error": JSONValue(step.error),
                        "Outputs": step.detail["Outputs"] ?? [],
                    ]
                }
            ),
        ]
    }

    private static func time(_ seconds: Double?) -> JSONValue { seconds.map(JSONValue.double) ?? .null }

    private static func word(_ context: ServingContext, _ name: String) throws -> String {
        let raw = try context.parameters.require(name)
        return PercentEncoding.decoded(raw) ?? raw
    }
}
