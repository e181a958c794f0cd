package import ResourceModel

/// The guide's experiment with its dataset, for people who want to begin with something that works.
package struct SampleExperiment: Sendable {
    package static let name = "SimpleFeatureHashingExperiment"
    private static let datasetName = "Book Reviews from Amazon (sample)"

    private let datasets: DatasetService
    private let experiments: ExperimentService

    package init(datasets: DatasetService, experiments: ExperimentService) {
        self.datasets = datasets
        self.experiments = experiments
    }

    /// Makes what is missing of it; what somebody has made of the same name stays as it is.
    ///
    /// - Returns: the experiment, and whether it is new.
    package func make() async throws -> (resource: Resource, isNew: Bool) {
        try await makeDataset()
        if let known = try await find() { return (known, false) }
        do {
            return try await experiments.put(Self.document, id: nil)
        } catch let error as APIError where error.status == 409 {
            // Two who ask at once both find it afterwards.
            guard let known = try await find() else { throw error }
            return (known, false)
        }
    }

    private func find() async throws -> Resource? {
        do { return try await experiments.get(Self.name) } catch let error as APIError where error.status == 404 {
            return nil
        }
    }

    private func makeDataset() async throws {
        guard try await datasets.find(Self.datasetName) == nil else { return }
        do {
            _ = try await datasets.create(
                name: Self.datasetName,
                dataTypeID: "GenericTSVNoHeader",
                description: "Invented reviews in the shape of the Studio's sample: Col1 rating, Col2 text.",
                bytes: PackageResources.book_reviews_tsv,
                replacing: false
            )
        } catch let error as APIError where error.status == 409 {
            // Somebody else made it meanwhile.
            return
        }
    }

    private static let document: JSONValue = [
        "Name": .string(name),
        "Description": "Hashes the words of a review into eight features.",
        "Nodes": [
            ["Id": "reviews", "Dataset": .string(datasetName), "Position": ["X": 240, "Y": 40]],
            [
                "Id": "select", "Module": "Select Columns in Dataset",
                "Parameters": [
                    "Select columns": [
                        "isFilter": true,
                        "rules": [["ruleType": "ColumnNames", "columns": ["Col2"], "exclude": false]],
                    ]
                ],
                "Position": ["X": 240, "Y": 160],
            ],
            [
                "Id": "input", "Module": "Web service input", "Parameters": ["Name": "input1"],
                "Position": ["X": 520, "Y": 160],
            ],
            [
                "Id": "hash", "Module": "Feature Hashing",
                "Parameters": [
                    "Target columns": [
                        "isFilter": true,
                        "rules": [["ruleType": "ColumnNames", "columns": ["Col2"], "exclude": false]],
                    ],
                    "Hashing bitsize": 3, "N-grams": 2,
                ],
                "Position": ["X": 240, "Y": 280],
            ],
            [
                "Id": "output", "Module": "Web service output", "Parameters": ["Name": "output1"],
                "Position": ["X": 240, "Y": 400],
            ],
        ],
        "Edges": [
            ["From": ["Node": "reviews", "Port": "dataset"], "To": ["Node": "select", "Port": "Dataset"]],
            ["From": ["Node": "select", "Port": "Results dataset"], "To": ["Node": "hash", "Port": "Dataset"]],
            ["From": ["Node": "input", "Port": "Dataset"], "To": ["Node": "hash", "Port": "Dataset"]],
            ["From": ["Node": "hash", "Port": "Transformed dataset"], "To": ["Node": "output", "Port": "Dataset"]],
        ],
    ]
}
