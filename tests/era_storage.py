"""Calls the blob store as the guide's era did, through azure-storage 0.20.3: run in its own environment.

Takes the account, its key, the door's port and the protocol version to speak: 2014-02-14 is this library's own, 2012-02-12 that of
azure 0.8.4, whose signing it has kept. Prints one line a call that was made; ends with an error at the first that fails.
"""
import base64
import datetime
import os
import sys
import urllib.parse
import uuid
import xml.etree.ElementTree as tree

import requests
from azure.common import AzureHttpError
from azure.storage import AccessPolicy, SharedAccessPolicy, SignedIdentifier, SignedIdentifiers
from azure.storage import _common_serialization as documents, _serialization as serialization
from azure.storage.blob import BlobService


class OldElement(tree.Element):
    """The library reads children by a method that later versions of Python took away."""

    def getchildren(self):
        return list(self)


documents.ETree.fromstring = lambda text: tree.XML(text, tree.XMLParser(target=tree.TreeBuilder(element_factory=OldElement)))

MADE = []


def done(name):
    MADE.append(name)
    print(name)


def refuses(status, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except AzureHttpError as error:
        assert error.status_code == status, (status, error.status_code, str(error))
        return
    raise AssertionError(f"{call.__name__} was not refused")


class Local(requests.Session):
    """Sends to the door what the library would send to ACCOUNT.blob.core.windows.net: host style, as it signs it."""

    def __init__(self, port):
        super().__init__()
        self.port = port

    def request(self, method, url, headers=None, **named):
        parts = urllib.parse.urlsplit(url)
        headers = {**(headers or {}), "Host": parts.hostname}
        return super().request(method, parts._replace(netloc=f"127.0.0.1:{self.port}").geturl(), headers=headers, **named)


def main(account, key, port, version):
    serialization.X_MS_VERSION = version

    def service(**options):
        options = options or {"account_key": key}
        return BlobService(account_name=account, protocol="http", request_session=Local(int(port)), **options)

    blobs = service()
    container = f"era-{uuid.uuid4().hex[:8]}"
    assert blobs.create_container(container, x_ms_meta_name_values={"old": "guide"}); done("create_container")
    assert blobs.create_container(container) is False; done("create_container again")
    assert blobs.get_container_properties(container)["x-ms-meta-old"] == "guide"; done("get_container_properties")
    assert blobs.get_container_metadata(container)["x-ms-meta-old"] == "guide"; done("get_container_metadata")
    blobs.set_container_metadata(container, {"a": "b"}); done("set_container_metadata")
    assert container in [found.name for found in blobs.list_containers(prefix="era-")]; done("list_containers")

    # What the guide does: put a table, list it, read it.
    blobs.put_block_blob_from_bytes(container, "mydatablob.csv", b"Col2\nThis is a good day\n", x_ms_blob_content_type="text/csv"); done("put_block_blob_from_bytes")
    assert blobs.get_blob(container, "mydatablob.csv") == b"Col2\nThis is a good day\n"; done("get_blob")
    assert blobs.get_blob_to_text(container, "mydatablob.csv").startswith("Col2"); done("get_blob_to_text")
    assert blobs.get_blob_properties(container, "mydatablob.csv")["content-type"] == "text/csv"; done("get_blob_properties")
    assert blobs.get_blob(container, "mydatablob.csv", x_ms_range="bytes=0-3") == b"Col2"; done("get_blob range")
    blobs.put_blob(container, "folder/a name", b"", "BlockBlob"); done("put_blob empty")
    assert not blobs.get_blob(container, "folder/a name"); done("get_blob empty")
    found = blobs.list_blobs(container, include="metadata")
    assert [blob.name for blob in found] == ["folder/a name", "mydatablob.csv"]; done("list_blobs")
    assert found.blobs[1].properties.content_length == 24
    if version < "2013-08-15":
        assert found.blobs[1].url.endswith(f"/{container}/mydatablob.csv"); done("list_blobs url")
    folders = blobs.list_blobs(container, delimiter="/")
    assert [prefix.name for prefix in folders.prefixes] == ["folder/"] and [blob.name for blob in folders] == ["mydatablob.csv"]; done("list_blobs delimiter")
    page = blobs.list_blobs(container, maxresults=1)
    assert len(page) == 1 and [blob.name for blob in blobs.list_blobs(container, marker=page.next_marker)] == ["mydatablob.csv"]; done("list_blobs marker")

    data = os.urandom(300_000)
    blobs._BLOB_MAX_DATA_SIZE = blobs._BLOB_MAX_CHUNK_DATA_SIZE = 100_000
    blobs.put_block_blob_from_bytes(container, "large", data); done("put_block_blob_from_bytes in blocks")
    assert blobs.get_blob_to_bytes(container, "large") == data; done("get_blob_to_bytes in ranges")
    id = base64.b64encode(b"0001").decode()
    blobs.put_block(container, "blocks", b"one", id); done("put_block")
    blobs.put_block_list(container, "blocks", [id]); done("put_block_list")
    assert len(blobs.get_block_list(container, "blocks").committed_blocks) == 1; done("get_block_list")
    blobs.set_blob_metadata(container, "blocks", {"m": "1"}); done("set_blob_metadata")
    assert blobs.get_blob_metadata(container, "blocks")["x-ms-meta-m"] == "1"; done("get_blob_metadata")
    blobs.set_blob_properties(container, "blocks", x_ms_blob_content_language="es"); done("set_blob_properties")
    lease = blobs.lease_blob(container, "blocks", "acquire", x_ms_lease_duration=15)["x-ms-lease-id"]; done("lease_blob acquire")
    refuses(412, blobs.put_blob, container, "blocks", b"x", "BlockBlob"); done("put_blob without lease refused")
    blobs.lease_blob(container, "blocks", "release", x_ms_lease_id=lease); done("lease_blob release")
    snapshot = blobs.snapshot_blob(container, "blocks")["x-ms-snapshot"]; done("snapshot_blob")
    assert blobs.get_blob(container, "blocks", snapshot=snapshot) == b"one"; done("get_blob snapshot")
    blobs.delete_blob(container, "blocks", snapshot=snapshot); done("delete_blob snapshot")
    assert blobs.copy_blob(container, "copy", f"/{account}/{container}/large")["x-ms-copy-status"] == "success"; done("copy_blob")
    blobs.put_blob(container, "pages", b"", "PageBlob", x_ms_blob_content_length=1024); done("put_blob page")
    blobs.put_page(container, "pages", b"p" * 512, "bytes=512-1023", "update"); done("put_page")
    assert [(found.start, found.end) for found in blobs.get_page_ranges(container, "pages")] == [(512, 1023)]; done("get_page_ranges")

    expiry = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    # This library's signatures hold the headers of answers, which there were none of before.
    signed_as = max(version, "2013-08-15")
    policy = lambda permission: SharedAccessPolicy(AccessPolicy(expiry=expiry, permission=permission))
    token = blobs.generate_shared_access_signature(container, "mydatablob.csv", policy("r"), sas_version=signed_as); done("generate_shared_access_signature")
    assert service(sas_token=token).get_blob(container, "mydatablob.csv").startswith(b"Col2"); done("get_blob by signature")
    refuses(403, service(sas_token=token).delete_blob, container, "mydatablob.csv"); done("delete_blob by read signature refused")
    token = blobs.generate_shared_access_signature(container, None, policy("rwdl"), sas_version=signed_as)
    signed = service(sas_token=token)
    assert len(list(signed.list_blobs(container))) == 6; done("list_blobs by signature")
    signed.put_blob(container, "signed", b"x", "BlockBlob"); done("put_blob by signature")
    refuses(403, signed.delete_container, container); done("delete_container by signature refused")
    identifiers = SignedIdentifiers()
    identifier = SignedIdentifier()
    identifier.id, identifier.access_policy = "id", AccessPolicy(expiry=expiry, permission="r")
    identifiers.signed_identifiers.append(identifier)
    blobs.set_container_acl(container, identifiers); done("set_container_acl")
    assert [found.id for found in blobs.get_container_acl(container)] == ["id"]; done("get_container_acl")

    blobs.delete_blob(container, "copy"); done("delete_blob")
    refuses(404, blobs.get_blob, container, "copy"); done("get_blob of a deleted blob")
    assert blobs.delete_container(container); done("delete_container")
    print(f"{len(MADE)} calls", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:5])
