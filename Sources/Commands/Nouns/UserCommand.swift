import ArgumentParser
import ResourceModel

/// The commands below `gatehouse user`.
struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user",
        abstract: "Users: people with accounts, owners of subscriptions; keys of blocked ones open nothing.",
        subcommands: [
            ListVerb<UserNoun>.self, ShowVerb<UserNoun>.self, CreateVerb<UserNoun>.self, UpdateVerb<UserNoun>.self,
            DeleteVerb<UserNoun>.self, InviteVerb.self, ResetPasswordVerb.self,
        ]
    )
}

enum UserNoun: ManagedNoun {
    typealias Parents = NoParents
    static let word = "user"
    static let type = "users"
    static let columns: [(title: String, path: [String])] = [
        ("ID", ["name"]), ("EMAIL", ["properties", "email"]), ("FIRST NAME", ["properties", "firstName"]),
        ("LAST NAME", ["properties", "lastName"]), ("STATE", ["properties", "state"]),
    ]

    struct Fields: PropertyFields {
        @Option(help: "E-mail address.") var email: String?
        @Option(name: .customLong("first-name"), help: "First name.") var firstName: String?
        @Option(name: .customLong("last-name"), help: "Last name.") var lastName: String?
        @Option(help: "active, blocked, pending or deleted.") var state: String?
        @Option(help: "Note for administrators.") var note: String?
        @Option(name: .customLong("password-file"), help: "File with the password; - for standard input.")
        var password: String?

        var properties: JSONObject {
            get throws {
                var result = JSONObject()
                result["email"] = email.map(JSONValue.string)
                result["firstName"] = firstName.map(JSONValue.string)
                result["lastName"] = lastName.map(JSONValue.string)
                result["state"] = state.map(JSONValue.string)
                result["note"] = note.map(JSONValue.string)
                if let password {
                    let text = try FileText.read(password)
                    result["password"] = .string(text.hasSuffix("\n") ? String(text.dropLast()) : text)
                }
                return result
            }
        }
    }
}
