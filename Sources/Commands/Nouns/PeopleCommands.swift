import ArgumentParser
import NIOHTTP1
import ResourceModel

/// `gatehouse sign-in-link`: a link that signs somebody in once.
struct SignInLinkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign-in-link",
        abstract: "Make a link that signs somebody in once, within 15 minutes; the server must be running.",
        discussion: "The link stands alone on standard output; that it was made is in the record of changes."
    )
    @OptionGroup var options: ServerOptions
    @Option(help: "E-mail address of whom it signs in (default: the installation's administrator).") var user: String?

    func run() async throws {
        var body = JSONObject()
        body["email"] = user.map(JSONValue.string)
        try await LinkAnswer.ask(options, "sign-in-links", body)
    }
}

/// `gatehouse user reset-password`: a link by which somebody chooses another password.
struct ResetPasswordVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset-password",
        abstract: "Make a link by which somebody chooses another password, within 48 hours."
    )
    @OptionGroup var options: ServerOptions
    @Argument(help: "E-mail address.") var email: String

    func run() async throws { try await LinkAnswer.ask(options, "password-resets", ["email": .string(email)]) }
}

/// `gatehouse user invite`: an account for somebody, and the link by which they choose its password.
struct InviteVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "invite",
        abstract: "Make an account and a link by which its owner chooses the password, within 48 hours."
    )
    @OptionGroup var options: ServerOptions
    @Argument(help: "E-mail address.") var email: String
    @Option(name: .customLong("first-name"), help: "First name.") var firstName: String?
    @Option(name: .customLong("last-name"), help: "Last name.") var lastName: String?
    @Option(help: "Role in the workspace, owner or user (without it none).") var role: String?

    func run() async throws {
        var body: JSONObject = ["email": .string(email)]
        body["firstName"] = firstName.map(JSONValue.string)
        body["lastName"] = lastName.map(JSONValue.string)
        body["role"] = role.map(JSONValue.string)
        try await LinkAnswer.ask(options, "invitations", body)
    }
}

private enum LinkAnswer {
    /// Asks for a link and prints it, alone on its line.
    static func ask(_ options: ServerOptions, _ what: String, _ body: JSONObject) async throws {
        let client = try await ServerClient.connect(options)
        let answer = try await client.json(.POST, "/api/people/\(what)", .object(body))
        if options.json { return print(answer.indented, terminator: "") }
        guard let link = answer["link"]?.string else { throw CommandFailure("The server made no link.") }
        print(link)
    }
}
