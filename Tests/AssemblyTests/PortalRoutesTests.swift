import Assembly
import Testing

@Suite struct PortalRoutesTests {}
