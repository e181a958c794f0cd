package import HTTPServing
import HTTPTypes
package import Hummingbird
import ResourceModel

/// The jobs of a workspace's endpoints on the portal door, below `/api/workspaces/{ws}/jobs`.
package struct JobRoutes: Sendable {
    private static let pageDefault = 100

    private let workspace: String
    private let jobs: BatchJobs

    package init(workspace: String, jobs: BatchJobs) {
        self.workspace = workspace
        self.jobs = jobs
    }

    package func addRoutes(to router: Router<ServingContext>) {
        let group = router.group("/api/workspaces/:workspace/jobs")
            .add(middleware: AccessMiddleware(.workspace))
            .add(middleware: WorkspaceMiddleware(workspace))
        group.get { request, _ -> Response in
            let text = request.query("$top") ?? request.query("top")
            let limit = text.map { Int($0) ?? 0 } ?? Self.pageDefault
            guard (1...BatchLimits.pageMax).contains(limit) else {
                throw APIError.validation("$top", "The number must be from 1 to \(BatchLimits.pageMax).")
            }
            return .json(
                .array(
                    try await jobs.list(
                        endpoint: request.query("endpoint")?.lowercased(),
                        state: request.query("state"),
                        before: request.query("before"),
                        limit: limit
                    )
                )
            )
        }
        group.get(":job") { _, context -> Response in
            .json(try await jobs.get(try context.parameters.require("job")))
        }
        group.delete(":job") { _, context -> Response in
            try await jobs.cancel(try context.parameters.require("job"))
            return .empty(status: 204)
        }
    }
}
