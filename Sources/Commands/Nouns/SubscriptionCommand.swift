import ArgumentParser
import NIOHTTP1
import ResourceModel

/// The commands below `gatehouse subscription`.
struct SubscriptionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "subscription",
        abstract: "Subscriptions: keys to products and APIs.",
        subcommands: [
            ListVerb<SubscriptionNoun>.self, ShowVerb<SubscriptionNoun>.self, CreateVerb<SubscriptionNoun>.self,
            UpdateVerb<SubscriptionNoun>.self, DeleteVerb<SubscriptionNoun>.self, Keys.self, Regenerate.self,
        ]
    )

    struct Keys: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "keys", abstract: "Show the keys.")
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id.") var id: String

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let keys = try await client.json(
                .POST,
                client.arm("/subscriptions/\(ServerClient.escaped(id))/listSecrets")
            )
            if options.json { return print(keys.indented, terminator: "") }
            print("primary    \(keys["primaryKey"]?.string ?? "-")")
            print("secondary  \(keys["secondaryKey"]?.string ?? "-")")
        }
    }

    struct Regenerate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "regenerate",
            abstract: "Make a new key; the old one stops working at once."
        )
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id.") var id: String
        @Option(help: "primary or secondary.") var key = "primary"

        func run() async throws {
            guard key == "primary" || key == "secondary" else {
                throw ValidationError("--key must be primary or secondary.")
            }
            let client = try await ServerClient.connect(options)
            let action = key == "primary" ? "regeneratePrimaryKey" : "regenerateSecondaryKey"
            try await client.json(.POST, client.arm("/subscriptions/\(ServerClient.escaped(id))/\(action)"))
        }
    }
}

enum SubscriptionNoun: ManagedNoun {
    typealias Parents = NoParents
    static let word = "subscription"
    static let type = "subscriptions"
    static let columns: [(title: String, path: [String])] = [
        ("ID", ["name"]), ("NAME", ["properties", "displayName"]), ("STATE", ["properties", "state"]),
        ("SCOPE", ["properties", "scope"]),
    ]

    struct Fields: PropertyFields {
        @Option(name: .customLong("name"), help: "Display name.") var displayName: String?
        @Option(help: "/products/ID, /apis/ID, /apis or / (all).") var scope: String?
        @Option(help: "active, submitted, suspended, rejected, cancelled or expired.") var state: String?
        @Option(help: "Owner, as /users/1.") var owner: String?

        var properties: JSONObject {
            var result = JSONObject()
            result["displayName"] = displayName.map(JSONValue.string)
            result["scope"] = scope.map(JSONValue.string)
            result["state"] = state.map(JSONValue.string)
            result["ownerId"] = owner.map(JSONValue.string)
            return result
        }
    }
}
