import DataTables
import ResourceModel
import StudioModules

/// One scoring call from body to answer; pure, so that a loop and a worker run the same.
package struct RRSCall {
    package enum Form: Equatable {
        case execute(isSwagger: Bool, hasDetails: Bool)
        /// The 1.0 call.
        case score
    }

    let definition: ServiceDefinition
    let form: Form
    let limits: ServiceLimits

    package init(definition: ServiceDefinition, form: Form, limits: ServiceLimits) {
        self.definition = definition
        self.form = form
        self.limits = limits
    }

    /// - Parameter shapes: what is known of the requests before; only for calls on a loop.
    /// - Returns: the answer's body.
    package func run(
        _ body: [UInt8],
        _ token: CallToken?,
        _ shapes: RequestShapes? = nil
    ) throws(ServiceError) -> [UInt8] {
        var reader = try RRSRequestReader(body, definition, limits)
        let request = form == .score ? try reader.readLegacy() : try reader.read(shapes)
        let width = try width(request)
        // Checked before the work, since the work is what would take the memory.
        guard request.rows <= limits.cellsMax / max(1, width) else {
            throw .memory(
                "The answer would have \(request.rows) rows of \(width) columns; \(limits.cellsMax) cells are the most. "
                    + "Use a batch job."
            )
        }
        if token?.isCancelled == true { throw .timeout }
        let context = token.map { token in ModuleContext(isCancelled: { token.isCancelled }) } ?? ModuleContext()
        let tables: [DataTable]
        do throws(ScoringPlan.Failure) {
            tables = try definition.plan.score(request.tables, parameters: request.parameters, context: context)
        } catch {
            if token?.isCancelled == true { throw .timeout }
            throw .module(error.error.label, error.error.description, module: error.module)
        }
        let headCount = definition.fixedHead?.count ?? 0
        var writer = RRSResponseWriter(capacity: 256 + headCount + body.count + request.rows * width * 4)
        switch form {
        case .score:
            guard let first = tables.first else { break }
            writer.writeLegacy(first)
        case .execute(isSwagger: false, hasDetails: true) where definition.fixedHead != nil && tables.count == 1:
            writer.write(fixedHead: definition.fixedHead ?? [], tables[0])
        case .execute(let isSwagger, let hasDetails):
            let outputs = zip(definition.plan.outputs, tables).map { (name: $0.name, table: $1) }
            writer.write(outputs, shape: isSwagger ? .rows : .table(hasDetails: hasDetails))
        }
        return writer.bytes
    }

    /// Columns of the answer: as published, or by a run without rows where the caller's parameters may change them.
    private func width(_ request: RRSRequest) throws(ServiceError) -> Int {
        guard !request.parameters.isEmpty else { return definition.outputWidth }
        let empty = request.tables.map { $0?.selecting(rows: []) }
        do throws(ScoringPlan.Failure) {
            return try definition.plan.score(empty, parameters: request.parameters, context: ModuleContext())
                .reduce(0) { $0 + $1.columnCount }
        } catch {
            throw .module(error.error.label, error.error.description, module: error.module)
        }
    }
}
