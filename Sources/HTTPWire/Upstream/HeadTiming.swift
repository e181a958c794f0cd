import NIOCore

/// The time that an upstream has for the head of its answer.
///
/// It runs from the moment the request is whole at the upstream; interim answers and parts of a head do not end it.
struct HeadTiming {
    /// Ends within this are kept to the millisecond; the sweep of every second, which comes before, is enough for others.
    static let nearMax = TimeAmount.seconds(2)

    /// Tells times of one request from those of another on the same connection.
    private(set) var request = 0
    /// nil for the usual time.
    private(set) var timeout: TimeAmount?
    /// Whether the request's last byte was handed over.
    private(set) var isHandedOver = false
    /// Whether it has left.
    private(set) var isWhole = false
    /// When the head must be there; it has a meaning only once the request is whole.
    private(set) var end = NIODeadline.distantFuture
    var hasHead = false
    /// Whether somebody looks at the very moment of the end.
    var isArmed = false

    mutating func begin(_ timeout: TimeAmount?) {
        request &+= 1
        self.timeout = timeout
        isHandedOver = false
        isWhole = false
        hasHead = false
        isArmed = false
    }

    /// With the usual time the request counts as whole at once; whether bytes of it wait is asked later (`putOff`).
    mutating func handedOver(_ now: NIODeadline, _ usual: TimeAmount) {
        isHandedOver = true
        guard timeout == nil else { return }
        isWhole = true
        end = now + usual
    }

    mutating func markWhole(_ now: NIODeadline) {
        guard let timeout else { return }
        isWhole = true
        end = now + timeout
    }

    /// Begins anew, since it is not the upstream's answer that was waited for.
    mutating func putOff(_ now: NIODeadline, _ usual: TimeAmount) {
        guard isWhole else { return }
        end = now + (timeout ?? usual)
    }
}
