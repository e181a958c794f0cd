import People

extension Person {
    /// What pages call somebody.
    var fullName: String {
        let name = [firstName, lastName].filter { !$0.isEmpty }.joined(separator: " ")
        return name.isEmpty ? email : name
    }

    /// Two letters that stand for somebody.
    var initials: String {
        let letters = [firstName, lastName].compactMap(\.first)
        return (letters.isEmpty ? Array(email.prefix(1)) : letters).map { $0.uppercased() }.joined()
    }
}
