/// Web service output: the table that a published service answers with.
struct WebServiceOutputModule: StudioModule {
    static let descriptor = ModuleDescriptor(
        name: "Web service output",
        category: ["Web Service"],
        inputs: [.init("Dataset")],
        outputs: [],
        parameters: [.init("Name", .string, default: .string("output1"))],
        isRowWise: true
    )

    init(_ parameters: BoundParameters) {}

    func run(_ inputs: [PortValue?], _ context: ModuleContext) throws(ModuleError) -> [PortValue] { [] }
}
