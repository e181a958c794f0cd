/// A named column and what is known of it.
package struct Column: Sendable, Equatable {
    package var name: String
    package var values: ColumnValues
    package var role: ColumnRole

    package init(name: String, values: ColumnValues, role: ColumnRole = .feature) {
        self.name = name
        self.values = values
        self.role = role
    }

    package var schema: ColumnSchema {
        ColumnSchema(name: name, type: values.type, isCategorical: values.isCategorical, role: role)
    }
}

/// A column without its values: what a port's schema is made of.
package struct ColumnSchema: Sendable, Equatable {
    package var name: String
    package var type: ColumnType
    package var isCategorical: Bool
    package var role: ColumnRole

    package init(name: String, type: ColumnType, isCategorical: Bool = false, role: ColumnRole = .feature) {
        self.name = name
        self.type = type
        self.isCategorical = isCategorical
        self.role = role
    }

    /// An empty column of this schema.
    package var column: Column {
        let values: ColumnValues =
            isCategorical ? .categorical(CategoricalValues(base: type)) : ColumnValues(emptyOf: type)
        return Column(name: name, values: values, role: role)
    }
}
