import DataTables
import NIOCore
import ResourceModel
import StudioModules
import Testing
import WebServices

@Suite struct RRSTests {
    /// A service that answers with its input: every type, one row through.
    private func definition(
        _ columns: [ColumnSchema],
        limits: ServiceLimits = ServiceLimits()
    ) throws -> ServiceDefinition {
        let plan = try ScoringPlan(
            definition: [
                "inputs": ["input1"], "steps": [], "outputs": [["name": "output1", "slot": ["input": 0]]],
                "parameters": [],
            ],
            frozen: []
        )
        return ServiceDefinition(
            workspace: "w",
            serviceID: "s",
            name: "echo",
            description: "",
            plan: plan,
            inputs: [ServiceDefinition.Port(name: "input1", columns: columns)],
            outputs: [("output1", TableSchema(columns: columns))]
        )
    }

    private let everything = [
        ColumnSchema(name: "s", type: .string), ColumnSchema(name: "i", type: .int32),
        ColumnSchema(name: "d", type: .double),
        ColumnSchema(name: "b", type: .boolean), ColumnSchema(name: "t", type: .dateTime),
    ]

    private func call(
        _ body: String,
        _ columns: [ColumnSchema]? = nil,
        form: RRSCall.Form = .execute(isSwagger: false, hasDetails: true),
        limits: ServiceLimits = ServiceLimits()
    ) throws -> String {
        let call = RRSCall(definition: try definition(columns ?? everything), form: form, limits: limits)
        return String(decoding: try call.run(Array(body.utf8), nil), as: UTF8.self)
    }

    @Test func `cells of every kind are taken, and all are answered as strings`() throws {
        let body =
            #"{"Inputs":{"input1":{"ColumnNames":["d","s","i","b","t"],"Values":[[1.50,"x",7.0,true,"5/30/2010 6:09 PM"],["2","",null,"False",null],[NaN,null,"",0,""]]}},"GlobalParameters":null}"#
        #expect(
            try call(body)
                == #"{"Results":{"output1":{"type":"table","value":{"ColumnNames":["s","i","d","b","t"],"ColumnTypes":["String","Int32","Double","Boolean","DateTime"],"Values":[["x","7","1.5","True","5/30/2010 6:09:00 PM"],["",null,"2","False",null],[null,null,null,"False",null]]}}}}"#
        )
    }

    @Test func `both shapes are taken on both forms`() throws {
        let column = [ColumnSchema(name: "s", type: .string)]
        let rows = #"{"Inputs":{"input1":[{"s":"a\"b"},{"s":65}]}}"#
        #expect(
            try call(rows, column, form: .execute(isSwagger: true, hasDetails: false))
                == #"{"Results":{"output1":[{"s":"a\"b"},{"s":"65"}]}}"#
        )
        #expect(
            try call(rows, column, form: .execute(isSwagger: false, hasDetails: false))
                == #"{"Results":{"output1":{"type":"table","value":{"Values":[["a\"b"],["65"]]}}}}"#
        )
        let late = #"{"GlobalParameters":{},"Inputs":{"input1":{"Values":[["x"]],"ColumnNames":["s"]}}}"#
        #expect(try call(late, column).contains(#""Values":[["x"]]"#))
        let legacy = #"{"Id":"score00001","Instance":{"FeatureVector":{"s":"x"},"GlobalParameters":{}}}"#
        #expect(try call(legacy, column, form: .score) == #"["x"]"#)
    }

    @Test(arguments: [
        ("", "BadArgument", "RequestIsEmpty"), ("{", "BadArgument", "RequestBodyInvalid"),
        ("{}", "BadArgument", "MissingRequestInput"), (#"{"Inputs":{}}"#, "BadArgument", "MissingRequestInput"),
        (#"{"Inputs":{"other":[]}}"#, "BadArgument", "InvalidInputNames"),
        (#"{"Inputs":{"input1":{"ColumnNames":["x"],"Values":[]}}}"#, "BadUserArgument", "InputMismatchError"),
        (#"{"Inputs":{"input1":{"ColumnNames":["i","i"],"Values":[]}}}"#, "BadUserArgument", "InputMismatchError"),
        (#"{"Inputs":{"input1":{"ColumnNames":[],"Values":[]}}}"#, "BadUserArgument", "InputMismatchError"),
        (#"{"Inputs":{"input1":{"ColumnNames":["i"],"Values":[["1","2"]]}}}"#, "BadUserArgument", "InputParseError"),
        (#"{"Inputs":{"input1":{"ColumnNames":["i"],"Values":[[]]}}}"#, "BadUserArgument", "InputParseError"),
        (#"{"Inputs":{"input1":{"ColumnNames":["i"],"Values":[["x"]]}}}"#, "BadUserArgument", "InputParseError"),
        (#"{"Inputs":{"input1":{"ColumnNames":["i"],"Values":[[{}]]}}}"#, "BadUserArgument", "InputParseError"),
        (#"{"Inputs":{"input1":{"ColumnNames":["i"]}}}"#, "BadUserArgument", "InputParseError"),
        (#"{"Inputs":{"input1":[{"i":1,"i":2}]}}"#, "BadUserArgument", "InputMismatchError"),
        (#"{"Inputs":{"input1":"x"}}"#, "BadUserArgument", "InputParseError"),
        (#"{"Inputs":{"input1":[{"i":1}]},"GlobalParameters":{"p":1}}"#, "BadUserArgument", "UnexpectedParameter"),
        (#"{"Inputs":{"input1":[{"i":"\ud800"}]}}"#, "BadArgument", "RequestBodyInvalid"),
        (#"{"Inputs":{"input1":[{"i":1}]}} x"#, "BadArgument", "RequestBodyInvalid"),
    ])
    func `wrong bodies get their code`(_ body: String, _ code: String, _ detail: String) throws {
        let error = #expect(throws: ServiceError.self) { try call(body, [ColumnSchema(name: "i", type: .int32)]) }
        #expect(error?.code == code && error?.details.first?.code == detail && error?.status == 400)
    }

    @Test func `a call whose time is up is told so`() throws {
        let call = RRSCall(
            definition: try definition([ColumnSchema(name: "s", type: .string)]),
            form: .execute(isSwagger: false, hasDetails: true),
            limits: ServiceLimits()
        )
        let late = CallToken(deadline: .now() - .seconds(1))
        let body = Array(#"{"Inputs":{"input1":[{"s":"a"}]}}"#.utf8)
        #expect(throws: ServiceError.timeout) { try call.run(body, late) }
        #expect(ServiceError.timeout.status == 408)
        let open = CallToken(deadline: .distantFuture)
        open.cancel()
        #expect(throws: ServiceError.timeout) { try call.run(body, open) }
    }

    @Test func `rows and cells are bounded before the work`() throws {
        var limits = ServiceLimits()
        limits.rowsMax = 2
        let body = #"{"Inputs":{"input1":[{"s":"a"},{"s":"b"},{"s":"c"}]}}"#
        let column = [ColumnSchema(name: "s", type: .string)]
        #expect(throws: ServiceError.self) { try call(body, column, limits: limits) }
        limits = ServiceLimits()
        limits.cellsMax = 2
        let error = #expect(throws: ServiceError.self) { try call(body, column, limits: limits) }
        #expect(error?.status == 413 && error?.code == "MemoryQuotaViolation")
    }

    @Test func `a request of a known shape is answered, or refused, as one that is read whole`() throws {
        let call = RRSCall(
            definition: try definition(everything),
            form: .execute(isSwagger: false, hasDetails: true),
            limits: ServiceLimits()
        )
        let row = #"["a",1,2.5,true,null]"#
        func body(_ rows: String, end: String = #"}},"GlobalParameters":{},"More":[1,{"x":"]"}]}"#) -> [UInt8] {
            Array(#"{ "Inputs": {"input1":{"ColumnNames":["s","i","d","b","t"],"Values":"#.utf8)
                + Array((rows + end).utf8)
        }
        let shapes = RequestShapes()
        _ = try call.run(body("[\(row)]"), nil, shapes)
        let known = try #require(shapes.last)
        #expect(known.rows(body("[\(row),\(row)]")) != nil)
        let others = [
            "[]", "[ \(row) , \(row)\n]", " [\(row)]", "[\(row)", "\(row)]", "[[\"a\"]]", "null",
            "[\(row)],\"Values\":[]", "[\(row)]]", "",
            "[\(row)]}},\"GlobalParameters\":{},\"More\":[1,{\"x\":\"]\"}]}",
            "[[\"\\u0041\\ud83d\\ude00 \u{E9}\",\"7\",\"\",false,\"1/2/2003\"]]", "[[\"\\ud800\",1,1,1,1]]",
        ]
        for rows in others {
            for end in [#"}},"GlobalParameters":{},"More":[1,{"x":"]"}]}"#, "}}}", ""] {
                let body = body(rows, end: end)
                let alone = Result { try call.run(body, nil) }
                let after = Result { () throws -> [UInt8] in
                    shapes.last = known
                    return try call.run(body, nil, shapes)
                }
                switch (alone, after) {
                case (.success(let one), .success(let other)): #expect(one == other)
                case (.failure(let one), .failure(let other)): #expect("\(one)" == "\(other)", "\(rows)")
                default: Issue.record("\(rows)\(end): \(alone) alone, \(after) after another one")
                }
            }
        }
    }
}
