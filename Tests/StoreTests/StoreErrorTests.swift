import ResourceModel
import Store
import Testing

/// What callers are told of what the store refused.
@Suite struct StoreErrorTests {
    private static let id = ResourceID(["users", "ada"])

    @Test(arguments: [
        (StoreError.diskFull, 507), (.overloaded, 503), (.missingReference(id), 404), (.notFound(id), 404),
        (.etagMismatch(id), 412), (.alreadyExists(id), 409), (.hasChildren(id), 409),
        (.notUnique(field: "email", value: "a"), 400), (.tooMany(field: "email", max: 1), 400),
    ])
    func `what the caller can mend is told`(error: StoreError, status: Int) {
        #expect(error.toldError?.status == status)
        #expect(APIError(error).status == status)
    }

    @Test(arguments: [StoreError.notDurable("x"), .claimLost, .unreadable(id)])
    func `faults of our own are not`(error: StoreError) {
        #expect(error.toldError == nil)
        #expect(APIError(error) == .inside)
    }
}
