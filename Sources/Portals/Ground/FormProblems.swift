import HTTPTypes
import People
import ResourceModel

/// What a refused form says: the rule that each field breaks, in the reader's words.
struct FormProblems {
    private let refusals: [FieldRefusal]
    private let words: Words
    private let form: FormFields

    init(_ refusal: FormRefusal, _ form: FormFields, _ words: Words) {
        refusals = refusal.fields
        self.words = words
        self.form = form
    }

    var count: Int { refusals.count }

    /// A field as templates show it, with what was sent in it.
    ///
    /// - Parameter isSecret: whether what was sent is not shown again, as of passwords.
    func field(_ name: String, isSecret: Bool = false) -> JSONValue {
        let sent = form[name] ?? ""
        let error = refusals.first { $0.field == name }.map { text($0.rule, sent) }
        return PageView.field(name, isSecret ? "" : sent, error: error)
    }

    private func text(_ rule: FieldRefusal.Rule, _ sent: String) -> String {
        let number = { (value: Int) in ["count": LocaleText(words.language).number(value)] }
        switch rule {
        case .required: return words.text("field.missing")
        case .nameLength: return words.text("field.longText", number(100))
        case .organizationLength: return words.text(sent.isEmpty ? "field.missing" : "field.longText", number(100))
        case .passwordShort: return words.text("field.tooShort", number(sent.count))
        case .passwordLong: return words.text("field.tooLong", number(NewPassword.bytesMax))
        case .passwordIsEmail: return words.text("field.isEmail")
        case .passwordCommon: return words.text("field.isCommon")
        case .passwordWrong: return words.text("field.wrongPassword")
        case .passwordSame: return words.text("field.samePassword")
        case .emailForm: return words.text("field.notEmail")
        case .emailTaken: return words.text("setup.takenEmail")
        case .serviceName: return words.text("setup.\(Self.nameProblem(sent))")
        case .emailUnknown, .alreadyMember, .notActive, .role: return words.text("field.missing")
        }
    }

    /// The first thing about a service's name that is wrong.
    private static func nameProblem(_ name: String) -> String {
        if let first = name.unicodeScalars.first, !isLetter(first) { return "nameFirst" }
        return name.hasSuffix("-") ? "nameLast" : "nameCharacters"
    }

    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
    }
}

extension PageView {
    /// A form that is refused, or that came too early.
    func refused(status: Int = 422, waiting seconds: Int? = nil) -> PageView {
        var view = self
        view.status = seconds == nil ? status : 429
        if let seconds { view.fields[.retryAfter] = String(seconds) }
        return view
    }
}
