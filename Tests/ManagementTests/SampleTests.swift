import Management
import Policies
import ResourceModel
import Testing

@Suite struct SampleTests {
    private func operation(_ type: String, times: Int = 1) -> JSONObject {
        let representation: JSONValue = [
            "contentType": "application/json", "schemaId": "all", "typeName": .string(type),
        ]
        return [
            "responses": [
                ["statusCode": 200, "representations": .array(Array(repeating: representation, count: times))]
            ]
        ]
    }

    private func reader(_ types: JSONObject) -> OperationSamples {
        OperationSamples(schemas: ["all": ["components": ["schemas": .object(types)]]])
    }

    @Test func `an example is made by a type and those that it names`() {
        var samples = reader([
            "Pet": [
                "type": "object",
                "properties": ["name": ["type": "string"], "tags": ["$ref": "#/components/schemas/Tags"]],
            ],
            "Tags": ["type": "array", "items": ["type": "integer"]],
        ])
        #expect(samples.read(operation("Pet")).map(\.body) == [#"{"name":"string","tags":[0]}"#])
        #expect(samples.read(operation("None")).map(\.body) == [nil])
    }

    @Test(.timeLimit(.minutes(1))) func `types that name types do not grow without end`() {
        var types = JSONObject()
        for level in 0..<11 {
            let next: JSONValue = ["$ref": .string("#/components/schemas/t\(level + 1)")]
            var properties = JSONObject()
            for place in 0..<10 { properties["p\(place)"] = next }
            types["t\(level)"] = ["type": "object", "properties": .object(properties)]
        }
        types["t11"] = ["example": .string(String(repeating: "e", count: 100_000))]
        var samples = reader(types)
        for level in 0..<12 {
            // A mebibyte at most, or nothing where it would be longer.
            #expect(samples.read(operation("t\(level)")).allSatisfy { ($0.body ?? "").utf8.count <= 1 << 20 })
        }
    }

    @Test func `samples of one API have a bound together`() {
        let long = String(repeating: "l", count: 1 << 20)
        let example: JSONValue = [
            "contentType": "text/plain", "examples": ["default": ["value": .string(String(long.dropLast()))]],
        ]
        var samples = OperationSamples(schemas: [:])
        let operation: JSONObject = [
            "responses": [["statusCode": 200, "representations": .array(Array(repeating: example, count: 100))]]
        ]
        let kept = samples.read(operation).compactMap(\.body)
        #expect((60...64).contains(kept.count))
    }
}
