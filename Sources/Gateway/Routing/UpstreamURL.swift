import HTTPWire
package import ResourceModel

extension APIRoute.Backend {
    /// The backend that an absolute URL names: a service URL, or the `base-url` of a policy.
    package init(url text: String) throws(BackendURL.Problem) {
        let url = try BackendURL(text)
        self = .http(
            UpstreamAddress(host: url.host, port: url.port, isTLS: url.isTLS),
            pathPrefix: url.path.hasSuffix("/") ? String(url.path.dropLast()) : url.path
        )
    }
}
