"""Uses the blob store through clients written in Rust and C++: run in an environment of its own, named by its first word.

Takes the client, the account, its key and the door's address of the account; ends with an error at the first thing that is wrong.
"""
import datetime
import random
import sys
import urllib.request

CONTAINER = "foreign"
NAMES = ["a b.txt", "ä/ö ü.bin", "plus+sign", "per%20cent", "deep/er/x", "sp ace/one", "q?m", "h#h", "semi;colon", "tilde~x",
         "quote'x", "[b]", "emoji😀", "c&d", "eq=x"]
BYTES = random.Random(7)
DATA = {name: BYTES.randbytes(200 + 37 * index) for index, name in enumerate(NAMES)} | {"big": BYTES.randbytes(9 << 20)}


def object_store(account, key, url):
    import obstore
    from obstore import exceptions
    from obstore.store import AzureStore

    store = AzureStore(CONTAINER, account_name=account, account_key=key, endpoint=url, client_options={"allow_http": True})
    names = lambda: sorted(entry["path"] for page in obstore.list(store) for entry in page)
    for name, data in DATA.items():
        obstore.put(store, name, data)
    obstore.put(store, "parts", DATA["big"], chunk_size=5 << 20, use_multipart=True)
    assert names() == sorted([*DATA, "parts"])
    for name, data in DATA.items():
        assert bytes(obstore.get(store, name).bytes()) == data, name
    assert bytes(obstore.get(store, "parts").bytes()) == DATA["big"]
    assert bytes(obstore.get_range(store, "big", start=100, end=120)) == DATA["big"][100:120]
    assert [entry["path"] for entry in obstore.list_with_delimiter(store, "sp ace/")["objects"]] == ["sp ace/one"]
    assert sorted(obstore.list_with_delimiter(store)["common_prefixes"]) == ["deep", "sp ace", "ä"]
    refuses(exceptions.AlreadyExistsError, obstore.put, store, "big", b"x", mode="create")
    tag = obstore.head(store, "a b.txt")["e_tag"]
    obstore.put(store, "a b.txt", b"y", mode={"e_tag": tag})
    refuses(exceptions.PreconditionError, obstore.put, store, "a b.txt", b"z", mode={"e_tag": tag})
    obstore.copy(store, "plus+sign", "copied +")
    obstore.rename(store, "c&d", "moved/x y")
    assert bytes(obstore.get(store, "copied +").bytes()) == DATA["plus+sign"]
    # It signs names as they are escaped, which the protocol does not: only names without escapes can be read by its links.
    link = obstore.sign(store, "GET", "plus+sign", datetime.timedelta(minutes=5))
    assert urllib.request.urlopen(link, timeout=10).read() == DATA["plus+sign"]
    obstore.delete(store, names())
    assert names() == []


def opendal(account, key, url):
    import opendal

    store = opendal.Operator("azblob", container=CONTAINER, endpoint=url, account_name=account, account_key=key)
    for name, data in DATA.items():
        store.write(name, data)
    for name, data in DATA.items():
        assert bytes(store.read(name)) == data, name
    assert sorted(entry.path for entry in store.scan("")) == sorted(DATA)
    assert [entry.path for entry in store.list("sp ace/")] == ["sp ace/one"]
    assert store.stat("plus+sign").content_length == len(DATA["plus+sign"])
    store.copy("plus+sign", "co py")
    assert bytes(store.read("co py")) == DATA["plus+sign"]
    store.remove_all("")
    assert [entry.path for entry in store.scan("")] == []


def arrow(account, key, url):
    import pyarrow
    from pyarrow import fs, parquet

    host = url.split("//")[1].split("/")[0]
    files = fs.AzureFileSystem(account, account_key=key, blob_storage_authority=host, blob_storage_scheme="http",
                               dfs_storage_authority=host, dfs_storage_scheme="http")
    for name, data in DATA.items():
        with files.open_output_stream(f"{CONTAINER}/{name}") as stream:
            stream.write(data)
    for name, data in DATA.items():
        with files.open_input_file(f"{CONTAINER}/{name}") as stream:
            assert stream.read() == data, name
    found = files.get_file_info(fs.FileSelector(CONTAINER, recursive=True))
    assert sorted(entry.path for entry in found if entry.type == fs.FileType.File) == sorted(f"{CONTAINER}/{name}" for name in DATA)
    table = pyarrow.table({"a": list(range(10_000))})
    parquet.write_table(table, f"{CONTAINER}/t.parquet", filesystem=files)
    assert parquet.read_table(f"{CONTAINER}/t.parquet", filesystem=files).equals(table)
    files.copy_file(f"{CONTAINER}/plus+sign", f"{CONTAINER}/co py")
    files.delete_file(f"{CONTAINER}/t.parquet")
    files.delete_dir_contents(CONTAINER)
    assert files.get_file_info(fs.FileSelector(CONTAINER)) == []


def refuses(kind, call, *words, **named):
    try:
        call(*words, **named)
    except kind:
        return
    raise AssertionError(f"{call.__name__} was not refused")


{"object_store": object_store, "opendal": opendal, "arrow": arrow}[sys.argv[1]](*sys.argv[2:])
