/// The rules for passwords that people choose.
package enum NewPassword {
    /// Shorter ones are guessed.
    package static let charactersMin = 10
    /// Longer ones would make the slow hash slower still; the `users` resource refuses them too.
    package static let bytesMax = 256

    /// Long enough, and yet among the first that anybody tries.
    private static let common: Set<String> = [
        "0123456789", "1234567890", "12345678910", "123456789a", "123456789q", "1q2w3e4r5t", "1qaz2wsx3edc",
        "abcdefghij", "administrator", "changeme123", "gatehouse1", "gatehouse123", "iloveyou123", "letmein123",
        "password01", "password10", "password11", "password12", "password123", "password1234", "passwordpassword",
        "q1w2e3r4t5", "qwerty1234", "qwerty12345", "qwertyuiop", "welcome123",
    ]

    /// - Parameter email: whose password it is to be.
    package static func refusals(
        _ password: String,
        email: String,
        field: String = "password"
    ) -> [FieldRefusal] {
        let lower = password.lowercased()
        if password.count < charactersMin { return [FieldRefusal(field, .passwordShort)] }
        if password.utf8.count > bytesMax { return [FieldRefusal(field, .passwordLong)] }
        if lower == email.lowercased() { return [FieldRefusal(field, .passwordIsEmail)] }
        let isOne = Set(lower).count == 1
        return common.contains(lower) || isOne ? [FieldRefusal(field, .passwordCommon)] : []
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
