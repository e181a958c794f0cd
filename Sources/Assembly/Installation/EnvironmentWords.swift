import Foundation

/// Words of the environment; an empty one counts as none.
enum EnvironmentWords {
    static func value(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
}
