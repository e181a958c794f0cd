package import ResourceModel

/// What a form is told that is refused: the field, and the rule that it breaks.
package struct FieldRefusal: Error, Sendable, Equatable {
    /// The rules, by the words that pages look their texts up by.
    package enum Rule: String, Sendable, CaseIterable {
        case required
        case nameLength
        case passwordShort
        case passwordLong
        case passwordIsEmail
        case passwordCommon
        case passwordWrong
        case passwordSame
        case emailForm
        case emailTaken
        case emailUnknown
        case serviceName
        case organizationLength
        case role
        case alreadyMember
        case notActive

        /// In English, for the API.
        var text: String {
            switch self {
            case .required: "The value is required."
            case .nameLength: "The value must be 1 to 100 characters."
            case .passwordShort: "The password must have at least \(NewPassword.charactersMin) characters."
            case .passwordLong: "The password must have at most \(NewPassword.bytesMax) bytes."
            case .passwordIsEmail: "The password must not be the e-mail address."
            case .passwordCommon: "The password is among those that are tried first."
            case .passwordWrong: "The password is wrong."
            case .passwordSame: "The new password must be another one."
            case .emailForm: "The value must be an e-mail address of at most 100 characters."
            case .emailTaken: "Somebody else has this e-mail address."
            case .emailUnknown: "Nobody has this e-mail address."
            case .serviceName:
                "The name must be 1 to 50 letters, digits and dashes, begin with a letter and not end with a dash."
            case .organizationLength: "The organization must be 1 to 100 characters."
            case .role: "The role must be owner or user."
            case .alreadyMember: "This person is a member already."
            case .notActive: "The account is not active."
            }
        }
    }

    package let field: String
    package let rule: Rule

    package init(_ field: String, _ rule: Rule) {
        self.field = field
        self.rule = rule
    }

    /// The same for callers of the API.
    package var error: APIError { .validation(field, rule.text) }
}

/// A form that is refused: each of its fields that breaks a rule.
package struct FormRefusal: Error, Sendable, Equatable {
    package let fields: [FieldRefusal]

    package init(_ fields: [FieldRefusal]) { self.fields = fields }

    package init(_ field: String, _ rule: FieldRefusal.Rule) { self.init([FieldRefusal(field, rule)]) }

    /// The same for callers of the API.
    package var error: APIError {
        .validation(fields.map { .init(code: "ValidationError", message: $0.rule.text, target: $0.field) })
    }

    /// - Throws: itself where there is any refusal in it.
    package func check() throws(FormRefusal) { if !fields.isEmpty { throw self } }
}
