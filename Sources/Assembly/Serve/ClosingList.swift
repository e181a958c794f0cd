package import Logging

/// What was opened so far: it is closed last first, also when something throws half way.
///
/// One task opens and closes; the list is never shared.
package final class ClosingList {
    private var steps: [(name: String, close: () async throws -> Void)] = []
    private let logger: Logger

    private init(_ logger: Logger) { self.logger = logger }

    /// Notes how something is closed that has just been opened.
    func add(_ name: String, _ close: @escaping () async throws -> Void) { steps.append((name, close)) }

    /// Does a piece of work, then closes everything that it opened, however it ended.
    ///
    /// - Throws: what the work threw, whatever fails at closing; else the first failure of closing.
    package static func closing(_ logger: Logger, _ work: (ClosingList) async throws -> Void) async throws {
        let list = ClosingList(logger)
        do { try await work(list) } catch {
            _ = await list.closeAll()
            throw error
        }
        if let failure = await list.closeAll() { throw failure }
    }

    private func closeAll() async -> (any Error)? {
        var first: (any Error)?
        for step in steps.reversed() {
            do { try await step.close() } catch {
                logger.error("could not be closed", metadata: ["part": "\(step.name)", "error.code": "\(error)"])
                first = first ?? error
            }
        }
        steps = []
        return first
    }
}
