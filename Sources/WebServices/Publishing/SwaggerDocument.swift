import DataTables
import Foundation
import ResourceModel
import StudioModules

/// The swagger document of an endpoint (contracts/ml-web-services.md 4.1), members and paths in the recorded order.
struct SwaggerDocument {
    let endpoint: ScoringEndpoint
    let host: ServiceHost

    var json: JSONValue {
        let definition = endpoint.definition
        let url = URL(string: host.servicesURL)
        let scheme = url?.scheme ?? "http"
        let port = url?.port ?? (scheme == "https" ? 443 : 80)
        return [
            "swagger": "2.0",
            "info": [
                "version": "2.0", "title": .string(definition.name),
                "description": .string(
                    definition.description.isEmpty
                        ? "No description provided for this Web service." : definition.description
                ),
                "x-endpoint-name": .string(endpoint.name),
            ],
            "host": .string("\(url?.host ?? "localhost"):\(port)"),
            "basePath": .string("/workspaces/\(definition.workspace)/services/\(endpoint.id)"),
            "schemes": [.string(scheme)], "consumes": ["application/json"], "produces": ["application/json"],
            "paths": paths, "definitions": definitions,
            "securityDefinitions": [
                "api_key": [
                    "type": "apiKey", "name": "Authorization", "in": "header",
                    "description": "The word Bearer, a blank, and a key of the endpoint.",
                ]
            ],
        ]
    }

    private static let apiVersion: JSONValue = [
        "name": "api-version", "in": "query", "required": false, "type": "string", "default": "2.0",
    ]
    private static let security: JSONValue = [["api_key": []]]

    private var paths: JSONValue {
        [
            "/swagger.json": [
                "get": [
                    "summary": "Get swagger API document for the Web service", "operationId": "getSwaggerDocument",
                    "parameters": [Self.apiVersion],
                    "responses": ["200": ["description": "The document.", "schema": ["type": "object"]]],
                ]
            ],
            "/execute?api-version=2.0&format=swagger": [
                "post": [
                    "summary": "Execute the Web service", "operationId": "execute",
                    "parameters": [body("ExecutionRequest")],
                    "responses": ["200": answer("ExecutionResults"), "default": answer("ErrorResponse")],
                    "security": Self.security,
                ]
            ],
            "/jobs?api-version=2.0": [
                "post": [
                    "summary": "Submit a job, without starting it", "operationId": "submitjob",
                    "parameters": [body("BatchExecutionRequest")],
                    "responses": [
                        "200": ["description": "The job's id.", "schema": ["type": "string"]],
                        "default": answer("ErrorResponse"),
                    ],
                    "security": Self.security,
                ]
            ],
            "/jobs/{jobId}?api-version=2.0": [
                "get": [
                    "summary": "Get the status or the result of a job", "operationId": "getjobstatus",
                    "parameters": [Self.jobID],
                    "responses": ["200": answer("BatchExecutionStatus"), "default": answer("ErrorResponse")],
                    "security": Self.security,
                ],
                "delete": [
                    "summary": "Cancel a job; results of one that has finished stay", "operationId": "canceljob",
                    "parameters": [Self.jobID],
                    "responses": ["200": ["description": "Done."], "default": answer("ErrorResponse")],
                    "security": Self.security,
                ],
            ],
            "/jobs/{jobId}/start?api-version=2.0": [
                "post": [
                    "summary": "Start a job", "operationId": "startjob", "parameters": [Self.jobID],
                    "responses": ["200": ["description": "Done."], "default": answer("ErrorResponse")],
                    "security": Self.security,
                ]
            ],
        ]
    }

    private static let jobID: JSONValue = ["name": "jobId", "in": "path", "required": true, "type": "string"]

    private func body(_ name: String) -> JSONValue {
        ["name": "request", "in": "body", "required": true, "schema": reference(name)]
    }

    private func answer(_ name: String) -> JSONValue {
        ["description": .string(name == "ErrorResponse" ? "An error." : "The answer."), "schema": reference(name)]
    }

    private func reference(_ name: String) -> JSONValue { ["$ref": .string("#/definitions/\(name)")] }

    private var definitions: JSONValue {
        let definition = endpoint.definition
        var inputs = JSONObject()
        var examples = JSONObject()
        for port in definition.inputs {
            inputs[port.name] = ["type": "array", "items": reference("\(port.name)Item")]
            examples[port.name] = [.object(JSONObject(port.columns.map { ($0.name, Self.example($0)) }))]
        }
        var outputs = JSONObject()
        for output in definition.outputs {
            outputs[output.name] = ["type": "array", "items": reference("\(output.name)Item")]
        }
        var result: JSONObject = [
            "ExecutionRequest": [
                "type": "object",
                "properties": ["Inputs": reference("ExecutionInputs"), "GlobalParameters": globalParameters],
                "example": ["Inputs": .object(examples), "GlobalParameters": .object(parameterExamples)],
            ],
            "ExecutionInputs": ["type": "object", "properties": .object(inputs)],
            "ExecutionResults": ["type": "object", "properties": ["Results": reference("ExecutionOutputs")]],
            "ExecutionOutputs": ["type": "object", "properties": .object(outputs)],
        ]
        for port in definition.inputs { result["\(port.name)Item"] = item(port.columns) }
        for output in definition.outputs {
            var columns: [ColumnSchema] = []
            output.schema.forEachColumn(limit: ServiceDefinition.documentedColumnsMax) { columns.append($0) }
            result["\(output.name)Item"] = item(columns)
        }
        for (name, value) in batchDefinitions.members { result[name] = value }
        result["ErrorResponse"] = [
            "type": "object",
            "properties": [
                "error": [
                    "type": "object",
                    "properties": [
                        "code": ["type": "string"], "message": ["type": "string"],
                        "details": ["type": "array", "items": ["type": "object"]],
                    ],
                ]
            ],
        ]
        return .object(result)
    }

    private var batchDefinitions: JSONObject {
        let definition = endpoint.definition
        let references = { (names: [String]) -> JSONValue in
            ["type": "object", "properties": .object(JSONObject(names.map { ($0, reference("BlobReference")) }))]
        }
        let text: JSONValue = ["type": "string", "x-nullable": true]
        let number: JSONValue = ["type": "number", "x-nullable": true]
        let counts = ["Rows", "RowsSkipped", "BytesRead", "BytesTotal", "RowsPerSecond", "Seconds", "SecondsLeft"]
        return [
            "BatchExecutionRequest": [
                "type": "object",
                "properties": [
                    "Inputs": references(definition.inputs.map(\.name)),
                    "Outputs": references(definition.outputs.map(\.name)), "GlobalParameters": globalParameters,
                    "OnError": ["type": "string", "enum": ["fail", "skip"]],
                ],
            ],
            "BatchExecutionStatus": [
                "type": "object",
                "properties": [
                    "StatusCode": [
                        "type": "string", "enum": ["NotStarted", "Running", "Failed", "Cancelled", "Finished"],
                    ],
                    "Results": references(definition.outputs.map(\.name)), "Details": text, "State": text,
                    "CreateTime": text, "StartTime": text, "EndTime": text,
                    "Progress": [
                        "type": "object", "properties": .object(JSONObject(counts.map { ($0, number) })),
                    ],
                    "Errors": reference("BlobReference"),
                ],
            ],
            "BlobReference": [
                "type": "object",
                "properties": [
                    "ConnectionString": text, "RelativeLocation": text, "BaseLocation": text, "SasBlobToken": text,
                ],
            ],
        ]
    }

    private func item(_ columns: [ColumnSchema]) -> JSONValue {
        [
            "type": "object", "required": .array(columns.map { .string($0.name) }),
            "properties": .object(JSONObject(columns.map { ($0.name, Self.type($0)) })),
        ]
    }

    private var globalParameters: JSONValue {
        let parameters = endpoint.definition.plan.parameters
        let properties = parameters.map { parameter -> (name: String, value: JSONValue) in
            var property: JSONObject = ["type": .string(parameter.descriptor.schemaType)]
            if parameter.hasDefault, let fallback = parameter.fallback { property["default"] = fallback.json }
            return (parameter.name, .object(property))
        }
        return [
            "type": "object",
            "required": .array(parameters.filter { !$0.hasDefault }.map { .string($0.name) }),
            "properties": .object(JSONObject(properties)),
        ]
    }

    private var parameterExamples: JSONObject {
        JSONObject(endpoint.definition.plan.parameters.map { ($0.name, $0.fallback?.json ?? "") })
    }

    private static func type(_ column: ColumnSchema) -> JSONValue {
        switch column.type {
        case .string: ["type": "string"]
        case .int32: ["type": "integer", "format": "int32", "x-nullable": true]
        case .int64: ["type": "integer", "format": "int64", "x-nullable": true]
        case .double: ["type": "number", "format": "double", "x-nullable": true]
        case .boolean: ["type": "boolean", "x-nullable": true]
        case .dateTime: ["type": "string", "format": "date-time", "x-nullable": true]
        }
    }

    private static func example(_ column: ColumnSchema) -> JSONValue {
        switch column.type {
        case .string: ""
        case .int32, .int64, .double: 1
        case .boolean: true
        case .dateTime: "2000-01-01T00:00:00Z"
        }
    }
}
