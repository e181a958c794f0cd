/// A table by columns; hashed features stand in it as one sparse block among them.
package struct DataTable: Sendable, Equatable {
    package enum Element: Sendable, Equatable {
        indirect case column(Column)
        indirect case sparse(SparseBlock)

        package var width: Int {
            switch self {
            case .column: 1
            case .sparse(let block): block.width
            }
        }
    }

    package private(set) var elements: [Element]
    package let rowCount: Int

    /// - Precondition: every element has `rowCount` rows.
    package init(elements: [Element], rowCount: Int) {
        self.elements = elements
        self.rowCount = rowCount
    }

    package init(columns: [Column], rowCount: Int? = nil) {
        self.init(elements: columns.map(Element.column), rowCount: rowCount ?? columns.first?.values.count ?? 0)
    }

    package var columnCount: Int { elements.reduce(0) { $0 + $1.width } }

    package func selecting(rows: [Int]) -> DataTable {
        DataTable(
            elements: elements.map { element in
                switch element {
                case .column(let column):
                    .column(Column(name: column.name, values: column.values.selecting(rows), role: column.role))
                case .sparse(let block): .sparse(block.selecting(rows))
                }
            },
            rowCount: rows.count
        )
    }

    package func appending(_ element: Element) -> DataTable {
        DataTable(elements: elements + [element], rowCount: rowCount)
    }

    /// The place of the column of that name among all columns, sparse ones included.
    package func place(of name: String) -> Int? {
        var place = 0
        for element in elements {
            switch element {
            case .column(let column):
                if column.name == name { return place }
            case .sparse(let block):
                if let number = block.number(named: name) {
                    return place + block.kept.reduce(0) { $0 + max(0, min($1.upperBound, number) - $1.lowerBound) }
                }
            }
            place += element.width
        }
        return nil
    }

    /// The dense column of that name.
    package func column(named name: String) -> Column? {
        for element in elements {
            if case .column(let column) = element, column.name == name { return column }
        }
        return nil
    }

    package var schema: TableSchema {
        TableSchema(
            elements: elements.map { element in
                switch element {
                case .column(let column): .column(column.schema)
                case .sparse(let block): .sparse(prefix: block.prefix, kept: block.kept, role: block.role)
                }
            }
        )
    }
}

/// The columns of a table without their values.
package struct TableSchema: Sendable, Equatable {
    package enum Element: Sendable, Equatable {
        case column(ColumnSchema)
        case sparse(prefix: String, kept: [Range<Int>], role: ColumnRole)
    }

    package var elements: [Element]

    package init(elements: [Element]) { self.elements = elements }
    package init(columns: [ColumnSchema]) { elements = columns.map(Element.column) }

    /// The dense columns.
    package var columns: [ColumnSchema] {
        elements.compactMap { element in
            if case .column(let column) = element { return column }
            return nil
        }
    }

    package var columnCount: Int {
        elements.reduce(0) { count, element in
            switch element {
            case .column: count + 1
            case .sparse(_, let kept, _): count + kept.reduce(0) { $0 + $1.count }
            }
        }
    }

    /// Calls `body` with each column, sparse ones written out, until `limit` columns were shown.
    package func forEachColumn(limit: Int, _ body: (ColumnSchema) -> Void) {
        var left = limit
        for element in elements {
            switch element {
            case .column(let column):
                guard left > 0 else { return }
                left -= 1
                body(column)
            case .sparse(let prefix, let kept, let role):
                for range in kept {
                    for number in range {
                        guard left > 0 else { return }
                        left -= 1
                        body(ColumnSchema(name: prefix + String(number), type: .int32, role: role))
                    }
                }
            }
        }
    }
}
