/// The rule for passwords that people choose.
package enum NewPassword {
    /// Shorter ones are guessed; longer ones would make the slow hash slower still, and are refused by the `users` resource too.
    package static let bytes = 8...256

    package static func refusals(_ password: String, field: String = "password") -> [FieldRefusal] {
        bytes.contains(password.utf8.count) ? [] : [FieldRefusal(field, .passwordLength)]
    }
}

/// The rules for names and addresses of people, as the `users` resource has them.
enum PersonalData {
    /// Addresses of the create form and of invitations.
    static let emailCharactersMax = 100

    static func refusals(firstName: String, lastName: String) -> [FieldRefusal] {
        [("firstName", firstName), ("lastName", lastName)].compactMap { field, text in
            (1...100).contains(text.count) ? nil : FieldRefusal(field, text.isEmpty ? .required : .nameLength)
        }
    }

    /// One `@` with something before and behind it, and nothing that could end a line of a mail.
    static func refusals(email: String) -> [FieldRefusal] {
        let parts = email.split(separator: "@", omittingEmptySubsequences: false)
        let isGood =
            email.count <= emailCharactersMax && parts.count == 2 && parts.allSatisfy { !$0.isEmpty }
            && email.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && !",;<>".utf8.contains($0) }
        return isGood ? [] : [FieldRefusal("email", .emailForm)]
    }
}
