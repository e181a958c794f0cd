package import Logging

/// What every part of a server knows from its first step to its last: the installation, the settings, and where the doors are.
package struct Premises: Sendable {
    let opened: OpenInstallation
    let settings: ServeSettings
    let addresses: DoorAddresses
    let logger: Logger

    /// Whether pages at an address take passwords: over TLS, on this machine, or where a setting says so.
    func takesPasswords(at address: String) -> Bool {
        address.hasPrefix("https:") || settings.allowsPlainPasswords
            || ["127.", "localhost", "[::1]"].contains { address.dropFirst("http://".count).hasPrefix($0) }
    }

    package init(_ opened: OpenInstallation, _ settings: ServeSettings, _ logger: Logger) {
        self.opened = opened
        self.settings = settings
        self.logger = logger
        addresses = DoorAddresses(settings: settings)
    }
}
