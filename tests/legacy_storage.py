"""Calls the blob store through azure-storage 0.33.0, which cannot stand beside today's client: run in its own environment.

Prints one line a call that was made; ends with an error at the first that does not do what it should.
"""
import base64
import datetime
import os
import sys
import uuid

# azure-storage 0.33.0 looks for names that later versions of Python moved.
import collections
import collections.abc

for _name in ("Iterable", "Mapping", "MutableMapping", "Sequence", "Callable"):
    if not hasattr(collections, _name):
        setattr(collections, _name, getattr(collections.abc, _name))

from azure.common import AzureConflictHttpError, AzureHttpError, AzureMissingResourceHttpError  # noqa: E402
from azure.storage.blob import (AppendBlobService, BlobBlock, BlobPermissions, BlockBlobService, ContainerPermissions,  # noqa: E402
                                ContentSettings, Include, PageBlobService, PublicAccess)
from azure.storage.models import AccessPolicy, CorsRule, ResourceTypes, AccountPermissions  # noqa: E402

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


def main(account, key, endpoint):
    # A path-style address: the account stands in the domain, as old clients are pointed to an emulator.
    def service(kind, **options):
        made = kind(account_name=account, account_key=None if "sas_token" in options else key, protocol="http", **options)
        made.primary_endpoint = endpoint
        return made

    blobs = service(BlockBlobService)
    container = f"old-{uuid.uuid4().hex[:8]}"
    later = datetime.datetime.utcnow() + datetime.timedelta(hours=1)

    assert blobs.create_container(container, metadata={"old": "client"}); done("create_container")
    assert blobs.create_container(container) is False; done("create_container again")
    refuses(409, blobs.create_container, container, fail_on_exist=True); done("create_container fail_on_exist")
    assert blobs.get_container_metadata(container)["old"] == "client"; done("get_container_metadata")
    blobs.set_container_metadata(container, {"a": "b"}); done("set_container_metadata")
    assert blobs.get_container_properties(container).metadata["a"] == "b"; done("get_container_properties")
    assert blobs.exists(container) and not blobs.exists("nothing-here"); done("exists container")
    assert container in [found.name for found in blobs.list_containers(prefix="old-", include_metadata=True)]; done("list_containers")

    blobs.create_blob_from_text(container, "text", "hello", content_settings=ContentSettings(content_type="text/plain")); done("create_blob_from_text")
    assert blobs.get_blob_to_text(container, "text").content == "hello"; done("get_blob_to_text")
    data = os.urandom(9_000_000)
    blobs.MAX_SINGLE_PUT_SIZE = 1 << 20
    blobs.create_blob_from_bytes(container, "bytes", data, max_connections=2); done("create_blob_from_bytes in blocks")
    assert blobs.get_blob_to_bytes(container, "bytes", max_connections=2).content == data; done("get_blob_to_bytes")
    assert blobs.get_blob_to_bytes(container, "bytes", start_range=100, end_range=70_000).content == data[100:70_001]; done("get_blob_to_bytes range")
    assert blobs.get_blob_properties(container, "bytes").properties.content_length == len(data); done("get_blob_properties")
    blobs.set_blob_metadata(container, "text", {"m": "1"}); done("set_blob_metadata")
    assert blobs.get_blob_metadata(container, "text") == {"m": "1"}; done("get_blob_metadata")
    blobs.set_blob_properties(container, "text", content_settings=ContentSettings(content_language="es")); done("set_blob_properties")
    assert blobs.get_blob_properties(container, "text").properties.content_settings.content_language == "es"
    blobs.put_block(container, "blocks", b"one", "AAAA"); done("put_block")
    blobs.put_block(container, "blocks", b"two", "BBBB")
    assert len(blobs.get_block_list(container, "blocks", block_list_type="all").uncommitted_blocks) == 2; done("get_block_list uncommitted")
    blobs.put_block_list(container, "blocks", [BlobBlock("BBBB"), BlobBlock("AAAA")]); done("put_block_list")
    assert blobs.get_blob_to_bytes(container, "blocks").content == b"twoone"
    assert [block.size for block in blobs.get_block_list(container, "blocks").committed_blocks] == [3, 3]; done("get_block_list")
    assert [found.name for found in blobs.list_blobs(container)] == ["blocks", "bytes", "text"]; done("list_blobs")
    assert [found.name for found in blobs.list_blobs(container, prefix="b", include=Include.METADATA)] == ["blocks", "bytes"]; done("list_blobs prefix")

    snapshot = blobs.snapshot_blob(container, "text").snapshot; done("snapshot_blob")
    blobs.create_blob_from_text(container, "text", "changed")
    assert blobs.get_blob_to_text(container, "text", snapshot=snapshot).content == "hello"; done("get_blob_to_text snapshot")
    refuses(409, blobs.delete_blob, container, "text"); done("delete_blob with snapshots refused")
    blobs.delete_blob(container, "text", snapshot=snapshot); done("delete_blob snapshot")
    copy = blobs.copy_blob(container, "copy", f"http://{endpoint}/{container}/bytes")
    assert copy.status == "success"; done("copy_blob")
    assert blobs.get_blob_to_bytes(container, "copy").content == data

    lease = blobs.acquire_blob_lease(container, "text", lease_duration=15); done("acquire_blob_lease")
    refuses(412, blobs.create_blob_from_text, container, "text", "no"); done("create_blob_from_text without lease refused")
    blobs.renew_blob_lease(container, "text", lease); done("renew_blob_lease")
    other = str(uuid.uuid4())
    blobs.change_blob_lease(container, "text", lease, other); done("change_blob_lease")
    blobs.release_blob_lease(container, "text", other); done("release_blob_lease")
    blobs.acquire_blob_lease(container, "text")
    assert blobs.break_blob_lease(container, "text", lease_break_period=0) == 0; done("break_blob_lease")
    lease = blobs.acquire_container_lease(container, lease_duration=15); done("acquire_container_lease")
    blobs.release_container_lease(container, lease); done("release_container_lease")

    etag = blobs.get_blob_properties(container, "text").properties.etag
    blobs.create_blob_from_text(container, "text", "matched", if_match=etag); done("create_blob_from_text if_match")
    refuses(412, blobs.create_blob_from_text, container, "text", "no", if_match=etag); done("create_blob_from_text if_match refused")
    refuses(409, blobs.create_blob_from_text, container, "text", "no", if_none_match="*"); done("create_blob_from_text if_none_match refused")

    pages = service(PageBlobService)
    pages.create_blob(container, "pages", 4096); done("page create_blob")
    pages.update_page(container, "pages", b"p" * 512, 512, 1023); done("update_page")
    assert [(found.start, found.end) for found in pages.get_page_ranges(container, "pages")] == [(512, 1023)]; done("get_page_ranges")
    pages.clear_page(container, "pages", 512, 1023); done("clear_page")
    assert pages.get_blob_to_bytes(container, "pages").content == bytes(4096); done("page get_blob_to_bytes")
    pages.resize_blob(container, "pages", 8192); done("resize_blob")
    pages.set_sequence_number(container, "pages", "increment"); done("set_sequence_number")
    appends = service(AppendBlobService)
    appends.create_blob(container, "append"); done("append create_blob")
    appends.append_block(container, "append", b"one"); done("append_block")
    appends.append_blob_from_text(container, "append", "two"); done("append_blob_from_text")
    assert appends.get_blob_to_text(container, "append").content == "onetwo"; done("append get_blob_to_text")

    token = blobs.generate_blob_shared_access_signature(container, "text", BlobPermissions.READ, later); done("generate_blob_shared_access_signature")
    signed = service(BlockBlobService, sas_token=token)
    assert signed.get_blob_to_text(container, "text").content == "matched"; done("get_blob_to_text by signature")
    refuses(403, signed.delete_blob, container, "text"); done("delete_blob by read signature refused")
    token = blobs.generate_container_shared_access_signature(container, ContainerPermissions.LIST, later); done("generate_container_shared_access_signature")
    assert len(list(service(BlockBlobService, sas_token=token).list_blobs(container))) == 6; done("list_blobs by signature")
    token = blobs.generate_account_shared_access_signature(ResourceTypes.CONTAINER, AccountPermissions.LIST, later); done("generate_account_shared_access_signature")
    assert len(list(service(BlockBlobService, sas_token=token).list_blobs(container))) == 6; done("list_blobs by account signature")
    policy = AccessPolicy(permission=ContainerPermissions.READ, expiry=later)
    blobs.set_container_acl(container, {"id": policy}, public_access=PublicAccess.Blob); done("set_container_acl")
    found = blobs.get_container_acl(container)
    assert found["id"].permission == "r" and found.public_access == "blob"; done("get_container_acl")
    blobs.set_blob_service_properties(cors=[CorsRule(["*"], ["GET"])]); done("set_blob_service_properties")
    assert len(blobs.get_blob_service_properties().cors) == 1; done("get_blob_service_properties")
    blobs.set_blob_service_properties(cors=[])
    blobs.delete_blob(container, "copy"); done("delete_blob")
    try:
        blobs.get_blob_to_text(container, "copy")
        raise AssertionError("a deleted blob was read")
    except AzureMissingResourceHttpError:
        done("get_blob_to_text of a deleted blob")
    assert blobs.delete_container(container); done("delete_container")
    assert not blobs.delete_container(container); done("delete_container again")
    print(f"{len(MADE)} calls", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:4])
