import CChecksum
import Foundation

/// The MD5 of a stream (RFC 1321), hashed side by side with those of other streams.
///
/// MD5 waits for each of its own steps; a core hashes eight streams in little more than the time of one.
package struct StreamMD5: Sendable {
    private static let blockBytes = 64

    private var state: (UInt32, UInt32, UInt32, UInt32) = (0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476)
    /// Counted while it lives.
    private final class Presence: Sendable {
        init() { MD5Lanes.shared.count(1) }
        deinit { MD5Lanes.shared.count(-1) }
    }

    private let presence = Presence()
    private var rest: [UInt8] = []
    private var length: UInt64 = 0

    package init() {}

    /// Takes bytes; waits while they are hashed, so it is called on threads that may wait.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        length &+= UInt64(bytes.count)
        var left = bytes
        if !rest.isEmpty {
            let part = left.prefix(Self.blockBytes - rest.count)
            rest += part
            left = UnsafeRawBufferPointer(rebasing: left.dropFirst(part.count))
            guard rest.count == Self.blockBytes else { return }
            let block = rest
            block.withUnsafeBytes { hash($0, count: 1) }
            rest.removeAll(keepingCapacity: true)
        }
        let whole = left.count / Self.blockBytes
        hash(left, count: whole)
        rest += left.dropFirst(whole * Self.blockBytes)
    }

    /// The hash of all bytes so far.
    package func finalize() -> [UInt8] {
        var last = self
        let bits = length &* 8
        var end = rest + [0x80]
        while end.count % Self.blockBytes != 56 { end.append(0) }
        for place in 0..<8 { end.append(UInt8(truncatingIfNeeded: bits >> UInt64(8 * place))) }
        end.withUnsafeBytes { last.hash($0, count: end.count / Self.blockBytes) }
        return [last.state.0, last.state.1, last.state.2, last.state.3].flatMap { word in
            (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) }
        }
    }

    private mutating func hash(_ bytes: UnsafeRawBufferPointer, count: Int) {
        guard count > 0, let base = bytes.baseAddress else { return }
        withUnsafeMutableBytes(of: &state) { raw in
            guard let words = raw.baseAddress?.assumingMemoryBound(to: UInt32.self) else { return }
            let blocks = base.assumingMemoryBound(to: UInt8.self)
            if count < MD5Lanes.sharedBlocksMin {
                gatehouse_md5_single(words, blocks, count)
            } else {
                MD5Lanes.shared.hash(words, blocks, count: count)
            }
        }
    }
}

/// Gathers streams that are being hashed at the same time into the lanes of one loop.
///
/// Whoever comes while nobody leads leads: takes up to eight jobs, its own among them, until its own is done; then one of those
/// who wait goes on.
private final class MD5Lanes: @unchecked Sendable {
    static let shared = MD5Lanes()
    /// Fewer blocks are hashed alone: meeting others would take longer, and what stays in memory (`inlineBytesMax`, half of this)
    /// is hashed where nobody may wait.
    static let sharedBlocksMin = 256
    /// Blocks between two looks for new jobs: 64 KiB a lane.
    private static let stepBlocks = 1024
    private static let laneCount = Int(GATEHOUSE_MD5_LANES)

    /// One stream's blocks; its memory belongs to the thread that waits for it.
    private final class Job {
        let state: UnsafeMutablePointer<UInt32>
        var blocks: UnsafePointer<UInt8>
        var left: Int

        init(_ state: UnsafeMutablePointer<UInt32>, _ blocks: UnsafePointer<UInt8>, _ left: Int) {
            self.state = state
            self.blocks = blocks
            self.left = left
        }
    }

    /// How long a job waits for others where there are other streams: little beside the time that its bytes took to come.
    private static let gatheringTime = 0.002

    private let changed = NSCondition()
    private var streams = 0

    /// A stream begins, or ends.
    func count(_ change: Int) {
        changed.lock()
        streams += change
        changed.unlock()
    }

    // Both are touched under the lock only.
    private var waiting: [Job] = []
    private var isLed = false

    func hash(_ state: UnsafeMutablePointer<UInt32>, _ blocks: UnsafePointer<UInt8>, count: Int) {
        let job = Job(state, blocks, count)
        changed.lock()
        waiting.append(job)
        if waiting.count >= Self.laneCount { changed.broadcast() }
        // On few cores the others come only while this one waits.
        let end = Date(timeIntervalSinceNow: Self.gatheringTime)
        while job.left > 0, !isLed, waiting.count < min(Self.laneCount, streams), changed.wait(until: end) {}
        while job.left > 0 {
            if isLed {
                changed.wait()
            } else {
                lead(until: job)
            }
        }
        changed.unlock()
    }

    /// Called and left with the lock held; works without it.
    private func lead(until own: Job) {
        isLed = true
        while own.left > 0 {
            let jobs = Array(waiting.prefix(Self.laneCount))
            // Its own job may wait behind others' at first; those are done on the way.
            let count = min(Self.stepBlocks, jobs.reduce(.max) { min($0, $1.left) })
            changed.unlock()
            Self.run(jobs, count)
            changed.lock()
            for job in jobs {
                job.blocks += count * 64
                job.left -= count
            }
            if jobs.contains(where: { $0.left == 0 }) {
                waiting.removeAll { $0.left == 0 }
                changed.broadcast()
            }
        }
        isLed = false
        changed.broadcast()
    }

    private static func run(_ jobs: [Job], _ count: Int) {
        guard jobs.count > 1 else {
            for job in jobs { gatehouse_md5_single(job.state, job.blocks, count) }
            return
        }
        withUnsafeTemporaryAllocation(of: (UInt32, UInt32, UInt32, UInt32).self, capacity: laneCount) { states in
            withUnsafeTemporaryAllocation(of: UnsafePointer<UInt8>?.self, capacity: laneCount) { blocks in
                for lane in 0..<laneCount {
                    // Lanes without a job hash the first one's bytes once more, for nothing.
                    let job = lane < jobs.count ? jobs[lane] : jobs[0]
                    states.initializeElement(at: lane, to: (job.state[0], job.state[1], job.state[2], job.state[3]))
                    blocks.initializeElement(at: lane, to: job.blocks)
                }
                let words = UnsafeMutableRawPointer(states.baseAddress)?
                    .assumingMemoryBound(to: (UInt32, UInt32, UInt32, UInt32).self)
                gatehouse_md5_lanes(words, blocks.baseAddress, count)
                for lane in 0..<jobs.count {
                    let state = jobs[lane].state
                    (state[0], state[1], state[2], state[3]) = states[lane]
                }
            }
        }
    }
}
