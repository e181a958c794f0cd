import BlobClient
import Foundation
import ResourceModel
import Testing

@Suite struct ConnectionStringTests {
    @Test func `keys and values are cut at the first equals sign`() throws {
        let text =
            "DefaultEndpointsProtocol=https;AccountName=mine;AccountKey=AAECAwQ=;EndpointSuffix=core.windows.net;Extra=1"
        let connection = try ConnectionString(text)
        #expect(connection.account == "mine")
        #expect(connection.key == [0, 1, 2, 3, 4])
        #expect(connection.endpoint == "https://mine.blob.core.windows.net")
    }

    @Test func `a signature may stand for the key`() throws {
        let connection = try ConnectionString("BlobEndpoint=http://h:1/acc/;SharedAccessSignature=?sv=1&sig=a%3D")
        #expect(connection.signature == "sv=1&sig=a%3D")
        #expect(connection.endpoint == "http://h:1/acc")
    }

    @Test func `the development store is meant exactly`() throws {
        let connection = try ConnectionString("UseDevelopmentStorage=true")
        #expect(connection.account == "devstoreaccount1")
        #expect(connection.endpoint == "http://127.0.0.1:10000/devstoreaccount1")
    }

    @Test(arguments: [
        "", "AccountName", "AccountName=a", "AccountName=a;AccountKey=%%%", "AccountKey=AAEC",
        "AccountName=a;AccountKey=AAEC;DefaultEndpointsProtocol=ftp",
        "AccountName=a;AccountKey=AAEC;BlobEndpoint=file:///etc",
    ])
    func `what is wrong is named, and no secret is repeated`(_ text: String) {
        #expect { try ConnectionString(text) } throws: { error in
            guard let error = error as? APIError else { return false }
            return error.status == 400 && !"\(error)".contains("AAEC")
        }
    }
}

@Suite struct SignatureTests {
    @Test func `the text that a key signs is the reference's`() {
        // The example of the REST reference, "Authorize with Shared Key": Get Container Metadata.
        let request = SignableRequest(
            method: "GET",
            path: "/myaccount/mycontainer",
            query: [("restype", "container"), ("comp", "metadata"), ("timeout", "20")],
            headers: [
                ("x-ms-version", "2015-02-21"), ("x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT"), ("date", "ignored"),
                ("content-length", "0"),
            ]
        )
        let expected =
            "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n"
            + "/myaccount/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20"
        #expect(SharedKey.stringToSign(request, account: "myaccount") == expected)
        var old = request
        old.headers[0].value = "2014-02-14"
        #expect(SharedKey.stringToSign(old, account: "myaccount").hasPrefix("GET\n\n\n0\n"))
        // A length that was not sent is nothing, whatever the version.
        for version in ["2012-02-12", "2014-02-14", "2015-02-21", "2023-11-03"] {
            old.headers = [("x-ms-version", version)]
            #expect(SharedKey.stringToSign(old, account: "myaccount").hasPrefix("GET\n\n\n\n"))
        }
    }

    @Test(arguments: [
        ("2012-02-12", 6), ("2013-08-15", 11), ("2015-04-05", 13), ("2018-11-09", 15), ("2020-12-06", 16),
    ])
    func `the fields that a service signature signs grow with its version`(_ version: String, _ lines: Int) {
        let text = SharedAccess.serviceStringToSign(
            ["sv": version, "sp": "r"],
            account: "a",
            path: "/c/b",
            snapshot: ""
        )
        #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count == lines)
        #expect(text.contains(version >= "2015-02-21" ? "\n/blob/a/c/b\n" : "\n/a/c/b\n"))
    }
}

@Suite struct AllowedHostTests {
    @Test func `only the own store and what is named is allowed`() throws {
        let hosts = AllowedHosts(["files.example.org", "other.org:8080", "*.blob.core.windows.net"]) {
            "http://127.0.0.1:10000"
        }
        for (address, isAllowed) in [
            ("http://files.example.org/a", true), ("https://FILES.example.org:444/a", true),
            ("http://other.org:8080/", true),
            ("http://other.org/", false), ("https://mine.blob.core.windows.net/c/b", true),
            ("https://blob.core.windows.net.evil.org/", false), ("http://127.0.0.1:10000/c/b", true),
            ("http://127.0.0.1:22/", false), ("http://169.254.169.254/latest", false),
        ] {
            #expect(hosts.allows(try BlobLocation(address: address)) == isAllowed, "\(address)")
        }
    }

    @Test(arguments: ["file:///etc/passwd", "gopher://x", "http://user:secret@files.example.org/", "", "/etc/passwd"])
    func `other schemes and users are refused`(_ address: String) {
        #expect(throws: APIError.self) { try BlobLocation(address: address) }
    }
}
