/// Web service input: where a published service's caller gives a table in place of what the experiment had there.
struct WebServiceInputModule: StudioModule {
    static let descriptor = ModuleDescriptor(
        name: "Web service input",
        category: ["Web Service"],
        inputs: [],
        outputs: [.init("Dataset")],
        parameters: [.init("Name", .string, default: .string("input1"))],
        isRowWise: true
    )

    init(_ parameters: BoundParameters) {}

    /// The runner puts the caller's table in this node's place; in an experiment's own run it has none to give.
    func run(_ inputs: [PortValue?], _ context: ModuleContext) throws(ModuleError) -> [PortValue] {
        throw ModuleError(.nullOrEmpty, "A web service input has no data of its own.")
    }
}
