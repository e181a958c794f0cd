package import ResourceModel

/// What one installation is called, fixed when it is made.
package struct Installation: Sendable, Equatable {
    package let subscriptionID: String
    package let resourceGroup: String
    package let serviceName: String
    package let organization: String
    package let adminEmail: String
    /// ISO 8601.
    package let createdAt: String

    package init(
        subscriptionID: String,
        resourceGroup: String,
        serviceName: String,
        organization: String,
        adminEmail: String,
        createdAt: String
    ) {
        self.subscriptionID = subscriptionID
        self.resourceGroup = resourceGroup
        self.serviceName = serviceName
        self.organization = organization
        self.adminEmail = adminEmail
        self.createdAt = createdAt
    }

    /// `/subscriptions/…/service/name`, the root of ARM ids.
    package var root: String {
        "/subscriptions/\(subscriptionID)/resourceGroups/\(resourceGroup)/providers/Microsoft.ApiManagement/service/\(serviceName)"
    }

    package var properties: JSONObject {
        JSONObject([
            ("subscriptionId", .string(subscriptionID)), ("resourceGroup", .string(resourceGroup)),
            ("name", .string(serviceName)), ("publisherName", .string(organization)),
            ("publisherEmail", .string(adminEmail)), ("createdAtUtc", .string(createdAt)),
        ])
    }

    package init?(properties: JSONObject) {
        guard let subscription = properties["subscriptionId"]?.string, let group = properties["resourceGroup"]?.string,
            let name = properties["name"]?.string
        else { return nil }
        self.init(
            subscriptionID: subscription,
            resourceGroup: group,
            serviceName: name,
            organization: properties["publisherName"]?.string ?? name,
            adminEmail: properties["publisherEmail"]?.string ?? "",
            createdAt: properties["createdAtUtc"]?.string ?? ""
        )
    }

    /// The rule for a service's name (Azure's `ServiceNameParameter`).
    package static func isValidName(_ name: String) -> Bool {
        guard (1...50).contains(name.count), let first = name.utf8.first, let last = name.utf8.last else {
            return false
        }
        let isLetter = { (byte: UInt8) in (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) }
        let isDigit = { (byte: UInt8) in (0x30...0x39).contains(byte) }
        return isLetter(first) && (isLetter(last) || isDigit(last))
            && name.utf8.allSatisfy { isLetter($0) || isDigit($0) || $0 == 0x2D }
    }
}
