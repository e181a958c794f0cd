import DataTables
import Foundation
import ResourceModel
import StudioModules

// Hashes the lines of a file into the sparse block again and again, and prints rows per second of CPU time.
// usage: hashing-bench FILE BITS SECONDS

let arguments = CommandLine.arguments
guard arguments.count == 4, let bits = Int(arguments[2]), let seconds = Double(arguments[3]),
    let text = FileManager.default.contents(atPath: arguments[1]),
    let type = ModuleCatalogue.module(named: "Feature Hashing")
else {
    print("usage: hashing-bench FILE BITS SECONDS")
    exit(2)
}
let lines = String(decoding: text, as: UTF8.self).split(separator: "\n").map { String($0) as String? }
let table = DataTable(columns: [Column(name: "Col2", values: .string(StringValues(lines)))])
let module = try type.init(try BoundParameters(["Hashing bitsize": .int(bits)], for: type.descriptor))
_ = try module.run([.table(table)], ModuleContext())
var rows = 0
let start = clock()
while Double(clock() - start) / Double(CLOCKS_PER_SEC) < seconds {
    rows += try module.run([.table(table)], ModuleContext()).first?.table?.rowCount ?? 0
}
print(Int(Double(rows) / (Double(clock() - start) / Double(CLOCKS_PER_SEC))))
