import Portals
import Testing

@Suite struct PortalsTests {}
