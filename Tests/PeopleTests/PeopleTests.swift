import People
import Testing

@Suite struct PeopleTests {}
