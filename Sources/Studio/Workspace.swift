package import ResourceModel

/// The workspace of an installation: where datasets, experiments and services are.
package struct Workspace: Sendable {
    /// 32 hexadecimal digits.
    package let id: String

    package init(id: String) { self.id = id }

    package var resource: ResourceID { ResourceID(["workspaces", id]) }

    func dataset(_ id: String) -> ResourceID { resource.child("datasets", id) }
    func experiment(_ id: String) -> ResourceID { resource.child("experiments", id) }
}
