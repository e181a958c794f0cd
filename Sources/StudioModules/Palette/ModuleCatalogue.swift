/// The palette: adding a module is a file and a line here.
package enum ModuleCatalogue {
    package static let modules: [any StudioModule.Type] = [
        EnterDataManuallyModule.self,
        SelectColumnsModule.self,
        EditMetadataModule.self,
        CleanMissingDataModule.self,
        SplitDataModule.self,
        FeatureHashingModule.self,
        WebServiceInputModule.self,
        WebServiceOutputModule.self,
    ]

    /// The module of that palette label, or of its former name.
    package static func module(named name: String) -> (any StudioModule.Type)? {
        let current = formerNames[name] ?? name
        return modules.first { $0.descriptor.name == current }
    }

    private static let formerNames = [
        "Project Columns": "Select Columns in Dataset",
        "Metadata Editor": "Edit Metadata",
        "Missing Values Scrubber": "Clean Missing Data",
        "Split": "Split Data",
        "Enter Data": "Enter Data Manually",
    ]
}
