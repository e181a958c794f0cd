package import ResourceModel

/// What one installation is called.
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

    /// Judges the words of the create form.
    ///
    /// - Throws: `APIError` 400 that names each field and its rule.
    package static func check(name: String, organization: String, email: String) throws(APIError) {
        var details: [APIError.Detail] = []
        let note = { (field: String, rule: String) in
            details.append(.init(code: "ValidationError", message: rule, target: field))
        }
        if !isValidName(name) { note("name", nameRule) }
        if !(1...100).contains(organization.count) {
            note("organization", "The organization must be 1 to 100 characters.")
        }
        if email.count > 100 || !UserRules.isAddress(email) {
            note("email", "The value must be an e-mail address of at most 100 characters.")
        }
        guard details.isEmpty else { throw .validation(details) }
    }

    /// What `isValidName` asks for, in words.
    package static let nameRule =
        "The name must be 1 to 50 letters, digits and dashes, begin with a letter and not end with a dash."

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
