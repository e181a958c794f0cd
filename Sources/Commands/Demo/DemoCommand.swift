import ArgumentParser
import NIOHTTP1
import ResourceModel

/// Builds the guide's example in a running server through its public API; doing it again changes nothing.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Build the guide's example: an experiment, its web service, and a managed API in front of it."
    )

    @OptionGroup var options: ServerOptions

    func run() async throws {
        let client = try await ServerClient.connect(options)
        let demo = GuideExample(client: client)
        let result = try await demo.build()
        if options.json { return print(result.indented, terminator: "") }
        let call = try await demo.call(result)
        let text = { (name: String) in result[name]?.string ?? "" }
        let url = text("gateway") + demo.target(result)
        print("The guide's call:")
        print("  POST \(url)")
        print("  \(GuideExample.requestBody)")
        print("The answer (\(call.status)):")
        print("  \(call.body)")
        print("")
        print("gateway           \(text("gateway"))")
        print("portal            \(text("portal"))")
        print("services          \(text("services"))")
        print("blobs             \(text("blobs"))")
        print("workspace         \(text("workspace"))")
        print("service           \(text("service"))")
        print("api key           \(text("apiKey"))")
        print("subscription key  \(text("subscriptionKey"))  (unlimited)")
        print("starter key       \(text("starterKey"))")
        print("storage account   \(result["storage"]?["account"]?.string ?? "")")
        print("management token  in the file secrets/management-token of the data folder")
        print("administrator     \(result["admin"]?["email"]?.string ?? "")")
        if let file = result["admin"]?["passwordFile"]?.string { print("first password    in the file \(file)") }
        print("")
        print("Try it:")
        print(
            "curl '\(url)' -H 'Ocp-Apim-Subscription-Key: \(text("subscriptionKey"))' -H 'Authorization: Bearer \(text("apiKey"))'"
                + " -H 'Content-Type: application/json' -d '\(GuideExample.requestBody)'"
        )
        guard call.status == 200 else { throw CommandFailure("The guide's call was not answered well.") }
    }
}
