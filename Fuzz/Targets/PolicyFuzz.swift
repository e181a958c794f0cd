import Expressions
import Policies

/// Documents at any scope, raw and escaped: a document compiles or is refused with a place inside it.
enum PolicyFuzz {
    private static let surroundings = PolicySurroundings(
        namedValues: ["a": "1", "b": "<base />", "c": "@(1)"],
        fragments: [
            "f": .init(text: "<fragment><set-variable name=\"x\" value=\"1\" /></fragment>", isRaw: true),
            "g": .init(text: "<fragment><include-fragment fragment-id=\"g\" /></fragment>", isRaw: true),
        ],
        backends: ["b"]
    )

    static func run(_ bytes: UnsafeRawBufferPointer) throws {
        guard let first = bytes.first else { return }
        let text = String(decoding: bytes.dropFirst(), as: UTF8.self)
        let scopes = PolicyScope.allCases
        do throws(PolicyDiagnostic) {
            let document = try PolicyDocument(
                text,
                isRaw: first & 4 == 0,
                scope: scopes[Int(first & 3) % scopes.count],
                owner: "o",
                surroundings: surroundings
            )
            // Programs of several scopes are put together of what compiled.
            _ = PolicyProgram([.forwarding, document]).hasErrorPolicies
            _ = document.usesSamples
        } catch {
            // By bytes: a Character may hold both bytes of a line's end.
            let lines = text.utf8.count { $0 == 0x0A } + 1
            if error.line < 1 || error.column < 1 || error.line > lines {
                throw Finding("line \(error.line), column \(error.column) of \(lines) lines", bytes)
            }
        }
        _ = PolicyFormat.raw(text)
        _ = PolicyFormat.escaped(text)
        _ = PolicyDocument.fragments(in: text)
        _ = PolicyDocument.namedValues(in: text)
    }
}

/// Expressions: read, bound and evaluated, or refused with a place inside the text.
enum ExpressionFuzz {
    private struct Context: ExpressionContext {
        func isPresent(_ object: ContextObject) -> Bool { object != .user }

        func read(_ value: ContextValue) -> ExpressionValue? {
            switch value {
            case .responseStatusCode: .int(200)
            case .apiIsCurrentRevision: .bool(true)
            case .userID, .userEmail: nil
            case .apiVersion: .null
            default: .string("text")
            }
        }

        func values(_ table: ContextTable, _ name: String) -> [String] { name.isEmpty ? [] : [name, "second"] }

        func variable(_ name: String) -> ExpressionValue? {
            switch name {
            case "i": .int(.max)
            case "d": .double(1.5)
            case "n": .null
            case "b": .bool(false)
            default: nil
            }
        }
    }

    static func run(_ bytes: UnsafeRawBufferPointer) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        do throws(ExpressionError) {
            let program = try ExpressionProgram(text)
            _ = program.readsResponse
            if let value = try? program.value(Context()) { _ = value.text }
        } catch {
            if error.offset < 0 || error.offset > text.utf8.count {
                throw Finding("offset \(error.offset) of \(text.utf8.count)", bytes)
            }
        }
    }
}
