package import HTTPServing
package import Hummingbird
package import ResourceModel
import Store

/// Makes links for people: for the commands `sign-in-link`, `user invite` and `user reset-password`, and for administrators' programs.
package struct PeopleRoutes: Sendable {
    private let engine: PeopleEngine

    package init(_ engine: PeopleEngine) { self.engine = engine }

    package func addRoutes(to router: Router<ServingContext>) {
        let group = router.group().add(middleware: AccessMiddleware(.administrator))
        group.post("/api/people/sign-in-links") { request, context -> Response in
            try await answer(request, context, PeopleLinks.signIn) { body in
                try await engine.invitations.signIn(email: body["email"]?.string)
            }
        }
        group.post("/api/people/password-resets") { request, context -> Response in
            try await answer(request, context, PeopleLinks.reset) { body in
                try await engine.invitations.resetPassword(email: try Self.email(body))
            }
        }
        group.post("/api/people/invitations") { request, context -> Response in
            try await answer(request, context, PeopleLinks.invite) { body in
                let (email, role) = (try Self.email(body), try Self.role(body))
                let names = ["firstName", "lastName"].map { body[$0]?.string ?? "" }
                let made = try await engine.invitations.invite(email: email, firstName: names[0], lastName: names[1])
                if let role { try await engine.members.put(made.person, role) }
                return made
            }
        }
    }

    /// Answers with the link, whose code must not go where others read along.
    private func answer(
        _ request: Request,
        _ context: ServingContext,
        _ path: String,
        _ make: (JSONObject) async throws -> Invitations.Made
    ) async throws -> Response {
        guard context.mayCarryPasswords else { throw PlainPasswords.refused }
        let body = try await request.jsonObject(max: FormBody.bytesMax)
        let made: Invitations.Made
        do { made = try await make(body) } catch let refusal as FormRefusal { throw refusal.error }
        return .json(
            [
                "link": .string(engine.links.address(path, made.code)), "user": .string(made.person.name),
                "email": .string(made.person.email), "expires": .int(Int(made.expires)),
            ],
            status: 201
        )
    }

    private static func email(_ body: JSONObject) throws -> String {
        guard let email = body["email"]?.string else { throw FormRefusal("email", .required) }
        return email
    }

    private static func role(_ body: JSONObject) throws -> WorkspaceMembership.Role? {
        guard let value = body["role"], !value.isNull else { return nil }
        guard let role = value.string.flatMap(WorkspaceMembership.Role.init(rawValue:)) else {
            throw FormRefusal("role", .role)
        }
        return role
    }
}

/// Passwords and codes go over TLS or stay on this machine, unless a setting says otherwise.
package enum PlainPasswords {
    package static let refused = APIError(
        status: 403,
        code: "TLSRequired",
        message:
            "Passwords and links go over TLS or from this machine only: open the portal by https, or set portal-allow-plain-passwords."
    )
}
