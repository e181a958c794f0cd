import Foundation

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
        let pair = Data("\(try username.text(call)):\(try password.text(call))".utf8)
        call.request.headers.set("Authorization", ["Basic " + pair.base64EncodedString()])
        return .next
    }
}
