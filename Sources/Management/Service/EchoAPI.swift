import ResourceModel
import Store

/// The sample API of a fresh instance (contracts/api-management.md 1.2), answered by the installation itself.
///
/// The contract's documents of create-resource and retrieve-header-only also name `json-to-xml` and `jsonp`, which the catalogue of
/// policies does not know yet; those steps are left out.
enum EchoAPI {
    static let name = "echo-api"

    private static let api: JSONObject = [
        "displayName": "Echo API", "apiRevision": "1", "isCurrent": true, "isOnline": true,
        "subscriptionRequired": true,
        "serviceUrl": .string(APIRules.localServices + "/echo"), "path": "echo", "protocols": ["http", "https"],
        "type": "http",
        "subscriptionKeyParameterNames": ["header": "Ocp-Apim-Subscription-Key", "query": "subscription-key"],
    ]

    private static let sample: JSONValue = [
        "name": "param1", "type": "string", "required": true, "defaultValue": "sample", "values": ["sample"],
        "description": "A sample parameter that is required and has a default value of \"sample\".",
    ]
    private static let number: JSONValue = [
        "name": "param2", "type": "number", "required": false, "values": [],
        "description": "Another sample parameter, set to not required.",
    ]

    private struct Sample {
        let id: String
        let title: String
        let method: String
        let template: String
        let description: String
        var query: [JSONValue] = []
    }

    private static let operations = [
        Sample(
            id: "create-resource",
            title: "Create resource",
            method: "POST",
            template: "/resource",
            description:
                "A demonstration of a POST call based on the echo backend. The request body is expected to contain JSON."
        ),
        Sample(
            id: "modify-resource",
            title: "Modify Resource",
            method: "PUT",
            template: "/resource",
            description: "A demonstration of a PUT call handled by the echo backend."
        ),
        Sample(
            id: "remove-resource",
            title: "Remove resource",
            method: "DELETE",
            template: "/resource",
            description:
                "A demonstration of a DELETE call which traditionally deletes a resource. The echo backend deletes nothing."
        ),
        Sample(
            id: "retrieve-header-only",
            title: "Retrieve header only",
            method: "HEAD",
            template: "/resource",
            description: "The HEAD operation returns only headers; a policy adds one to the answer."
        ),
        Sample(
            id: "retrieve-resource",
            title: "Retrieve resource",
            method: "GET",
            template: "/resource",
            description: "A demonstration of a GET call on a sample resource. Two parameters are echoed with it.",
            query: [sample, number]
        ),
        Sample(
            id: "retrieve-resource-cached",
            title: "Retrieve resource (cached)",
            method: "GET",
            template: "/resource-cached",
            description: "A demonstration of a GET call whose answer is kept for an hour by the caching policies.",
            query: [sample, number]
        ),
    ]

    static let writes: [ResourceWrite] =
        [ResourceType.api.write(id(), api)]
        + operations.map { operation in
            var request: JSONObject = ["description": "", "headers": [], "representations": []]
            request["queryParameters"] = .array(operation.query)
            let properties: JSONObject = [
                "displayName": .string(operation.title), "method": .string(operation.method),
                "urlTemplate": .string(operation.template), "templateParameters": [],
                "description": .string(operation.description), "request": .object(request),
                "responses": [["statusCode": 200, "representations": []]],
            ]
            return ResourceType.operation.write(id("operations", operation.id), properties)
        }
        + [
            FreshInstance.policy(
                ["apis", name, "operations", "retrieve-header-only", "policies", "policy"],
                headerPolicy
            ),
            FreshInstance.policy(
                ["apis", name, "operations", "retrieve-resource-cached", "policies", "policy"],
                cachePolicy
            ),
        ]

    private static func id(_ below: String...) -> ResourceID { ResourceID(["apis", name] + below) }

    private static let headerPolicy = """
        <policies>
            <inbound>
                <base />
            </inbound>
            <backend>
                <base />
            </backend>
            <outbound>
                <base />
                <set-header name="X-My-Sample" exists-action="override">
                    <value>This is a sample</value>
                </set-header>
            </outbound>
        </policies>

        """

    private static let cachePolicy = """
        <policies>
            <inbound>
                <base />
                <cache-lookup vary-by-developer="false" vary-by-developer-groups="false">
                    <vary-by-header>Accept</vary-by-header>
                    <vary-by-header>Accept-Charset</vary-by-header>
                </cache-lookup>
                <rewrite-uri template="/resource" />
            </inbound>
            <backend>
                <base />
            </backend>
            <outbound>
                <base />
                <cache-store duration="3600" />
            </outbound>
        </policies>

        """
}
