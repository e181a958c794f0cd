/// `authentication-basic`: the backend's user name and password.
struct AuthenticationBasicPolicy: PolicyStep {
    static let definition = PolicyDefinition("authentication-basic", sections: [.inbound]) {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        try compiler.only(element, attributes: ["username", "password"])
        guard let password = try compiler.value(element, "password") else {
            throw compiler.missing("password", element)
        }
        steps.add(
            AuthenticationBasicPolicy(username: try compiler.needValue(element, "username"), password: password)
        )
    }

    let username: CompiledValue
    let password: CompiledValue

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        let pair = Array("\(try username.text(call)):\(try password.text(call))".utf8)
        call.request.headers.set("Authorization", ["Basic " + Base64Text.encoded(pair)])
        return .next
    }
}

/// RFC 4648, with padding.
enum Base64Text {
    private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")

    static func encoded(_ bytes: [UInt8]) -> String {
        var result = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let word = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for place in 0..<4 {
                result.append(place <= group.count ? letters[Int(word >> UInt32(18 - 6 * place)) & 63] : "=")
            }
        }
        return result
    }
}
