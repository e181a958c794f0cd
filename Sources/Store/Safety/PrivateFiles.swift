import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// Keeps what an installation has on the disk to its owner.
package enum PrivateFiles {
    /// Takes away what others may do with a folder and with files and folders in it: it may have been there before us, or come out
    /// of a copy.
    ///
    /// - Parameter names: what is ours in the folder; everything else there is somebody else's and stays as it is.
    /// - Returns: files and folders that stay open to others, since they are not this user's or all share them, as /tmp.
    package static func narrow(_ folder: String, _ names: [String]) -> [String] {
        var open: [String] = []
        narrow(URL(fileURLWithPath: folder).resolvingSymlinksInPath().path, &open)
        for name in names {
            let path = "\(folder)/\(name)"
            if narrow(path, &open) == S_IFDIR { narrowInside(path, &open) }
        }
        return open
    }

    private static func narrowInside(_ folder: String, _ open: inout [String]) {
        guard let stream = opendir(folder) else { return }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name != ".", name != ".." else { continue }
            let path = "\(folder)/\(name)"
            if narrow(path, &open) == S_IFDIR { narrowInside(path, &open) }
        }
    }

    /// - Returns: what it is; links in the folder are not followed.
    @discardableResult
    private static func narrow(_ path: String, _ open: inout [String]) -> mode_t {
        var status = stat()
        guard lstat(path, &status) == 0 else { return 0 }
        let kind = status.st_mode & S_IFMT
        guard kind == S_IFDIR || kind == S_IFREG, status.st_mode & 0o077 != 0 else { return kind }
        if status.st_mode & S_ISVTX != 0 || chmod(path, status.st_mode & 0o700) != 0 { open.append(path) }
        return kind
    }
}
