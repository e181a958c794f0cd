/// Why a module could not run, by the numbers that Studio published for its modules' errors.
package struct ModuleError: Error, Sendable, Equatable {
    package enum Code: Int, Sendable {
        case columnNotFound = 1
        case unparsable = 2
        case nullOrEmpty = 3
        case notGreater = 4
        case notAtLeast = 5
        case outOfRange = 8
        case nothingSelected = 11
        case unsupportedType = 17
        case invalidDataset = 18
        case tooFewRows = 21
        case wrongSelectionCount = 22
        case duplicateNames = 28
        case operationFailed = 39
        case notConvertible = 42
        case unparsableFile = 49
        case badColumnIndex = 59
        case badColumnRange = 60
        case tooManyColumns = 129
        case outOfMemory = 138
        case libraryFailure = 1000
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// `Error 0001`: how Studio wrote the number.
    package var label: String {
        let digits = String(code.rawValue)
        return "Error " + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    package var description: String { "\(label): \(message)" }
}
