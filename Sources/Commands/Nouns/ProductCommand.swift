import ArgumentParser
import NIOHTTP1
import ResourceModel

/// The commands below `gatehouse product`.
struct ProductCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "product",
        abstract: "Products: what is subscribed to.",
        subcommands: [
            ListVerb<ProductNoun>.self, ShowVerb<ProductNoun>.self, CreateVerb<ProductNoun>.self,
            UpdateVerb<ProductNoun>.self, DeleteVerb<ProductNoun>.self, AddAPI.self, RemoveAPI.self, APIs.self,
        ]
    )

    struct AddAPI: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "add-api", abstract: "Put an API into a product.")
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id of the product.") var product: String
        @Argument(help: "Id of the API.") var api: String

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let path = "/products/\(ServerClient.escaped(product))/apis/\(ServerClient.escaped(api))"
            try await client.json(.PUT, client.arm(path))
        }
    }

    struct RemoveAPI: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove-api",
            abstract: "Take an API out of a product."
        )
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id of the product.") var product: String
        @Argument(help: "Id of the API.") var api: String

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let path = "/products/\(ServerClient.escaped(product))/apis/\(ServerClient.escaped(api))"
            try await client.json(.DELETE, client.arm(path))
        }
    }

    struct APIs: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "apis", abstract: "List the APIs of a product.")
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id of the product.") var product: String

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let page = try await client.json(
                .GET,
                client.arm("/products/\(ServerClient.escaped(product))/apis?$top=1000")
            )
            let values = page["value"]?.array ?? []
            if options.json {
                print(JSONValue.array(values).indented, terminator: "")
            } else {
                TableText.print(APINoun.columns, values)
            }
        }
    }
}

enum ProductNoun: ManagedNoun {
    typealias Parents = NoParents
    static let word = "product"
    static let type = "products"
    static let columns: [(title: String, path: [String])] = [
        ("ID", ["name"]), ("NAME", ["properties", "displayName"]), ("STATE", ["properties", "state"]),
        ("SUBSCRIPTION", ["properties", "subscriptionRequired"]), ("APPROVAL", ["properties", "approvalRequired"]),
    ]

    struct Fields: PropertyFields {
        @Option(name: .customLong("name"), help: "Display name.") var displayName: String?
        @Option(help: "Description.") var description: String?
        @Option(help: "published or notPublished.") var state: String?
        @Option(name: .customLong("subscription-required"), help: "true or false.") var subscriptionRequired: Bool?

        var properties: JSONObject {
            var result = JSONObject()
            result["displayName"] = displayName.map(JSONValue.string)
            result["description"] = description.map(JSONValue.string)
            result["state"] = state.map(JSONValue.string)
            result["subscriptionRequired"] = subscriptionRequired.map(JSONValue.bool)
            return result
        }
    }
}
