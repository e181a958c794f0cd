import Foundation
import HTTPServing
import People
import ResourceModel

/// A session as the account's page lists it.
struct AccountSession {
    /// What browsers and systems call themselves, those first whose words stand in others' too.
    private static let browsers = [
        ("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]
    private static let systems = [
        ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"),
        ("Mac OS X", "macOS"), ("Linux", "Linux"),
    ]
    private static let handhelds: Set<String> = ["iPhone", "iPad", "Android"]

    let json: JSONValue

    init(_ session: PersonSession, _ visit: PageVisit) {
        let (browser, system) = (
            Self.browsers.first { session.agent.contains($0.0) }?.1,
            Self.systems.first { session.agent.contains($0.0) }?.1
        )
        let device: String
        switch (browser, system) {
        case (let browser?, let system?):
            device = visit.words.text("account.device", ["browser": browser, "system": system])
        case (let name?, nil), (nil, let name?): device = name
        case (nil, nil): device = visit.words.text("account.unknownDevice")
        }
        let icon =
            system.map { Self.handhelds.contains($0) } == true
            ? "smartphone" : browser == "curl" ? "terminal" : "laptop"
        json = [
            "id": .string(session.id), "device": .string(device), "icon": .string(icon),
            "address": .string(session.address),
            "seen": visit.locale.moment(Date(timeIntervalSince1970: session.seen)),
            "isCurrent": .bool(visit.caller.proof == .session(id: session.id)),
            "isRemembered": .bool(session.isRemembered),
            "endLabel": .string(visit.words.text("account.endThis", ["device": device])),
        ]
    }
}
