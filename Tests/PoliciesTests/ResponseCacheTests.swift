import Policies
import Testing

@Suite struct ResponseCacheTests {
    /// Asks once, and says whether the answer came from the cache; nil where it was not asked.
    private func ask(
        _ sample: Sample,
        attributes: String = "",
        inside: String = "",
        before: String = "",
        store: String = #"<cache-store duration="60" />"#
    ) throws -> Bool? {
        let lookup =
            #"<cache-lookup vary-by-developer="false" vary-by-developer-groups="false" \#(attributes)>\#(inside)</cache-lookup>"#
        try sample.run(inbound: before + lookup, outbound: store)
        return sample.call?.wasCached
    }

    @Test func `parts of a key do not run together`() throws {
        for (first, second) in [
            (["a=1\r2"], ["a=1", "2"]), (["1", "2"], ["1\r2"]), (["x", ""], ["x"]), ([], [""]), (["1:a"], ["a", "1:"]),
        ] {
            var keys: [CacheKey] = []
            for values in [first, second] {
                var key = CacheKey()
                key.add("a", values)
                keys.append(key)
            }
            #expect(keys[0] != keys[1], "\(first) \(second)")
        }
        var (left, right) = (CacheKey(), CacheKey())
        left.add("ab")
        left.add("c")
        right.add("a")
        right.add("bc")
        #expect(left != right)
        var (none, empty) = (CacheKey(), CacheKey())
        none.add(nil)
        empty.add("")
        #expect(none != empty)
    }

    @Test(arguments: [
        ("a=1%0D2", "a=1&a=2"), ("a=1%0Ab=2", "a=1&b=2"), ("a=1:2", "a=1&a=2"), ("a=", ""), ("a=%E9", "a=%E8"),
        ("a=1*3:a", "a=1"),
    ])
    func `two queries are two requests`(_ first: String, _ second: String) throws {
        let names = "<vary-by-query-parameter>a;b</vary-by-query-parameter>"
        let sample = Sample()
        sample.request.query = first
        #expect(try ask(sample, inside: names) == false)
        sample.request.query = second
        #expect(try ask(sample, inside: names) == false)
        #expect(try ask(sample, inside: names) == true)
        sample.request.query = first
        #expect(try ask(sample, inside: names) == true)
    }

    @Test func `bytes of fields that are no text are not told apart, and so not answered from the cache`() throws {
        let sample = Sample()
        sample.request.headers = [("x", "caf\u{FFFD}")]
        for _ in 0..<2 { #expect(try ask(sample, inside: "<vary-by-header>x</vary-by-header>") == nil) }
        #expect(sample.effects.kept.isEmpty)
    }

    @Test func `names may be computed`() throws {
        let sample = Sample()
        let names =
            #"<vary-by-query-parameter>@("la" + "ng")</vary-by-query-parameter><vary-by-header>@("Ac" + "cept")</vary-by-header>"#
        for (query, accept, expected) in [
            ("lang=en", "a", false), ("lang=de", "a", false), ("lang=en&x=1", "a", true), ("lang=en", "b", false),
        ] {
            sample.request.query = query
            sample.request.headers = [("accept", accept)]
            #expect(try ask(sample, inside: names) == expected)
        }
    }

    @Test func `where the call goes is part of what it asks for`() throws {
        let sample = Sample()
        for (place, expected) in [("a", false), ("b", false), ("a", true)] {
            #expect(try ask(sample, before: "<set-backend-service base-url='http://\(place)/' />") == expected)
        }
        for (path, expected) in [("/a", false), ("/b", false), ("/a", true)] {
            #expect(try ask(sample, before: "<rewrite-uri template='\(path)' />") == expected)
        }
    }

    @Test func `the stored answer's Vary joins the key`() throws {
        let sample = Sample()
        sample.effects.answerHeaders = ["vary": ["Accept-Language", "X-Kind, accept-language"]]
        for (language, kind, expected) in [
            (["en"], ["1"], false), (["en"], ["1"], true), (["de"], ["1"], false), (["en"], ["2"], false),
            (["en"], [], false),
            (["en"], ["1"], true), (["de"], ["1"], true), (["en"], [], true), (["en", "de"], ["1"], false),
            (["en,de"], ["1"], false),
        ] {
            sample.request.headers = language.map { ("accept-language", $0) } + kind.map { ("x-kind", $0) }
            #expect(try ask(sample) == expected, "\(language) \(kind)")
        }
        // As policies had made them when the cache was asked.
        let policy = #"<set-header name="X-Kind"><value>@(context.Request.Method)</value></set-header>"#
        sample.request.headers = [("accept-language", "en"), ("x-kind", "1")]
        #expect(try ask(sample, before: policy) == false)
        sample.request.headers = [("accept-language", "en"), ("x-kind", "2")]
        #expect(try ask(sample, before: policy) == true)
    }

    @Test func `an answer that varies by everything is kept for nobody`() throws {
        for vary in [["*"], ["Accept, *"], [String((0..<40).flatMap { "x\($0)," })]] {
            let sample = Sample()
            sample.effects.answerHeaders = ["vary": vary]
            for _ in 0..<2 {
                #expect(try ask(sample, store: #"<cache-store duration="60" cache-response="true" />"#) == false)
            }
        }
    }

    @Test(arguments: [
        ("no-store", true), ("private", true), ("max-age=60, Private", true), ("NO-STORE", true),
        ("private=\"set-cookie\"", true),
        ("max-age=0", false), ("no-cache", false), ("public", false), ("x=\"no-store\"", false),
        ("x=\"a, no-store", true),
        ("x=\"a\\\", private\"", false), ("must-revalidate", false), ("privates, no-storm", false),
    ])
    func `an answer that forbids it is not kept, unless the policy says so`(_ words: String, _ forbids: Bool) throws {
        let sample = Sample()
        sample.effects.answerHeaders = ["cache-control": ["x", words]]
        _ = try ask(sample)
        #expect(sample.effects.kept.isEmpty == forbids, "\(words)")
        _ = try ask(
            sample,
            attributes: #"must-revalidate="false""#,
            store: #"<cache-store duration="9" cache-response="true" />"#
        )
        #expect(!sample.effects.kept.isEmpty)
    }

    @Test func `a part of an answer is not kept`() throws {
        let sample = Sample()
        sample.effects.backend = [.success(206), .success(304)]
        for _ in 0..<2 { _ = try ask(sample, store: #"<cache-store duration="60" cache-response="true" />"#) }
        #expect(sample.effects.kept.isEmpty)
    }

    @Test func `Age says since when the answer is`() throws {
        let sample = Sample()
        sample.effects.answerHeaders = ["age": ["30"]]
        _ = try ask(sample, attributes: #"downstream-caching-type="private""#)
        #expect(sample.response?.values("cache-control") == ["private, max-age=90, must-revalidate"])
        #expect(try ask(sample, attributes: #"downstream-caching-type="private""#) == true)
        #expect(sample.response?.values("age") == ["81"])
        #expect(sample.response?.values("cache-control") == ["private, max-age=90, must-revalidate"])
    }
}
