"""The blob store through azure-storage-blob 12.x, as its users call it: what Azure does is done, what it refuses is refused."""
import base64
import datetime
import hashlib
import os
import uuid

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (ClientAuthenticationError, HttpResponseError, ResourceExistsError, ResourceModifiedError,
                                   ResourceNotFoundError)
from azure.storage.blob import (AccessPolicy, AccountSasPermissions, BlobBlock, BlobClient, BlobLeaseClient, BlobSasPermissions,
                                BlobServiceClient, BlobType, ContainerClient, ContainerSasPermissions, ContentSettings, CorsRule,
                                PublicAccess, ResourceTypes, StandardBlobTier, generate_account_sas, generate_blob_sas,
                                generate_container_sas)
from azure.storage.blob.aio import BlobServiceClient as AsyncBlobServiceClient

from gatehouse import DEEP, call

HOUR = datetime.timedelta(hours=1)


def soon():
    return datetime.datetime.now(datetime.timezone.utc) + HOUR


@pytest.fixture(scope="module")
def storage(live):
    return live.guide["storage"]


@pytest.fixture(scope="module")
def service(storage):
    return BlobServiceClient.from_connection_string(storage["connectionString"], retry_total=0)


@pytest.fixture
def container(service):
    client = service.create_container(f"test-{uuid.uuid4().hex[:12]}")
    yield client
    try:
        client.delete_container()
    except (ResourceNotFoundError, HttpResponseError):
        pass


def refused(status, code):
    """A context in which the service must answer that status and that code."""
    class Refused:
        def __enter__(self):
            return self

        def __exit__(self, kind, error, trace):
            assert isinstance(error, HttpResponseError), f"expected {status} {code}, got {error!r}"
            assert (error.status_code, error.error_code) == (status, code), (error.status_code, error.error_code, error.message)
            return True
    return Refused()


# Account


def test_account_information_and_service_properties(service):
    info = service.get_account_information()
    assert info["sku_name"] == "Standard_LRS" and info["account_kind"] == "StorageV2"
    before = service.get_service_properties()
    assert before["cors"] == []
    rule = CorsRule(["https://example.org"], ["GET", "PUT"], allowed_headers=["x-ms-*"], exposed_headers=["etag"], max_age_in_seconds=60)
    service.set_service_properties(cors=[rule])
    after = service.get_service_properties()["cors"][0]
    assert after.allowed_origins == "https://example.org" and after.max_age_in_seconds == 60
    assert set(after.allowed_methods.split(",")) == {"GET", "PUT"}


def test_cors_rules_take_effect(service, storage, container, live):
    rule = CorsRule(["https://example.org"], ["GET"], allowed_headers=["x-ms-*"], exposed_headers=["etag"], max_age_in_seconds=60)
    service.set_service_properties(cors=[rule])
    container.set_container_access_policy({}, public_access=PublicAccess.BLOB)
    container.upload_blob("page", b"x")
    path = f"/{storage['account']}/{container.container_name}/page"
    asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-ms-range"}
    allowed = call(live.urls["blobs"], "OPTIONS", path, headers=asked)
    assert allowed.status == 200 and allowed.headers["Access-Control-Allow-Origin"] == "https://example.org"
    assert allowed.headers["Access-Control-Max-Age"] == "60"
    assert call(live.urls["blobs"], "OPTIONS", path, headers={**asked, "Origin": "https://evil.org"}).status == 403
    read = call(live.urls["blobs"], "GET", path, headers={"Origin": "https://example.org"})
    assert read.headers["Access-Control-Allow-Origin"] == "https://example.org"
    assert read.headers["Access-Control-Expose-Headers"] == "etag"


# Containers


def test_container_life(service):
    name = f"life-{uuid.uuid4().hex[:8]}"
    client = service.get_container_client(name)
    assert not client.exists()
    client.create_container(metadata={"Color": "red"})
    assert client.exists()
    properties = client.get_container_properties()
    assert properties.metadata == {"Color": "red"} and properties.lease.state == "available" and not properties.has_legal_hold
    with refused(409, "ContainerAlreadyExists"):
        client.create_container()
    client.set_container_metadata({"shape": "round"})
    assert client.get_container_properties().metadata == {"shape": "round"}
    with refused(412, "ConditionNotMet"):
        client.set_container_metadata({}, if_modified_since=datetime.datetime.now(datetime.timezone.utc) + HOUR)
    client.delete_container()
    with refused(404, "ContainerNotFound"):
        client.get_container_properties()
    with refused(404, "ContainerNotFound"):
        client.delete_container()
    client.create_container()
    client.delete_container()


@pytest.mark.parametrize("name, code", [("ab", "OutOfRangeInput"), ("UPPER", "InvalidResourceName"), ("two--dashes", "InvalidResourceName"),
                                        ("-first", "InvalidResourceName"), ("last-", "InvalidResourceName"), ("a" * 64, "OutOfRangeInput")])
def test_container_names_are_checked(service, name, code):
    with refused(400, code):
        service.create_container(name)


def test_list_containers(service):
    prefix = f"list{uuid.uuid4().hex[:6]}"
    names = [f"{prefix}-{number}" for number in range(7)]
    for name in names:
        service.create_container(name, metadata={"n": name[-1]})
    assert [found.name for found in service.list_containers(name_starts_with=prefix)] == names
    pages = service.list_containers(name_starts_with=prefix, results_per_page=3, include_metadata=True).by_page()
    found = [[(one.name, one.metadata) for one in page] for page in pages]
    assert [len(page) for page in found] == [3, 3, 1] and found[0][1] == (names[1], {"n": "1"})
    for name in names:
        service.delete_container(name)


def test_container_lease(container):
    lease = container.acquire_lease(lease_duration=15)
    with refused(412, "LeaseIdMissing"):
        container.delete_container()
    with refused(409, "LeaseAlreadyPresent"):
        container.acquire_lease(lease_duration=15)
    assert container.get_container_properties().lease.state == "leased"
    lease.renew()
    other = str(uuid.uuid4())
    lease.change(other)
    assert lease.id == other
    with refused(412, "LeaseIdMismatchWithContainerOperation"):
        container.delete_container(lease=str(uuid.uuid4()))
    assert lease.break_lease(lease_break_period=0) == 0
    assert container.get_container_properties().lease.state == "broken"
    lease.release()
    container.delete_container()


def test_stored_policies_and_public_access(service, container, storage, live):
    policy = AccessPolicy(permission=ContainerSasPermissions(read=True, list=True), expiry=soon(), start=datetime.datetime.now(datetime.timezone.utc) - HOUR)
    container.set_container_access_policy({"reader": policy}, public_access=PublicAccess.CONTAINER)
    found = container.get_container_access_policy()
    assert found["public_access"] == "container" and found["signed_identifiers"][0].id == "reader"
    assert found["signed_identifiers"][0].access_policy.permission == "rl"
    container.upload_blob("open", b"everybody")
    anonymous = ContainerClient(service.url.rstrip("/"), container.container_name)
    assert [blob.name for blob in anonymous.list_blobs()] == ["open"]
    assert anonymous.download_blob("open").readall() == b"everybody"
    container.set_container_access_policy({"reader": policy})
    with refused(404, "ResourceNotFound"):
        anonymous.download_blob("open")
    token = generate_container_sas(storage["account"], container.container_name, storage["key"], policy_id="reader")
    signed = ContainerClient(service.url.rstrip("/"), container.container_name, credential=token)
    assert signed.download_blob("open").readall() == b"everybody"
    with refused(403, "AuthorizationPermissionMismatch"):
        signed.upload_blob("new", b"no")
    container.set_container_access_policy({})
    with refused(403, "AuthenticationFailed"):
        signed.download_blob("open")


# Block blobs


def test_upload_and_read_with_properties(container):
    blob = container.get_blob_client("folder/Grüße & more 100%.txt")
    assert not blob.exists()
    settings = ContentSettings(content_type="text/plain", content_encoding="identity", content_language="de", cache_control="max-age=5",
                               content_disposition="inline")
    made = blob.upload_blob("héllo wörld".encode(), metadata={"Author": "me", "n": "1"}, content_settings=settings, tags={"kind": "test"},
                            standard_blob_tier=StandardBlobTier.COOL)
    assert made["etag"] and made["last_modified"]
    found = blob.get_blob_properties()
    assert found.size == 13 and found.blob_type == BlobType.BLOCKBLOB and found.metadata == {"Author": "me", "n": "1"}
    assert found.content_settings.content_type == "text/plain" and found.content_settings.content_language == "de"
    assert found.content_settings.cache_control == "max-age=5" and found.content_settings.content_disposition == "inline"
    assert found.content_settings.content_md5 == hashlib.md5("héllo wörld".encode()).digest()
    assert found.etag == made["etag"] and found.blob_tier == "Cool" and found.tag_count == 1 and found.server_encrypted
    assert found.creation_time and found.lease.status == "unlocked"
    download = blob.download_blob()
    assert download.readall() == "héllo wörld".encode() and download.properties.metadata["Author"] == "me"
    assert blob.download_blob(encoding="utf-8").readall() == "héllo wörld"
    with refused(409, "BlobAlreadyExists"):
        blob.upload_blob(b"again")
    blob.upload_blob(b"", overwrite=True)
    assert blob.download_blob().readall() == b"" and blob.get_blob_properties().metadata == {}
    blob.delete_blob()
    with refused(404, "BlobNotFound"):
        blob.get_blob_properties()


def test_ranges(container):
    data = os.urandom(300_000)
    blob = container.upload_blob("ranges", data)
    for offset, length in [(0, 1), (0, 65536), (65535, 2), (65536, 65536), (100_000, 200_000), (299_999, 1), (299_999, 500), (1, None)]:
        expected = data[offset:offset + length] if length else data[offset:]
        assert blob.download_blob(offset=offset, length=length).readall() == expected, (offset, length)
    assert blob.download_blob(offset=5, length=1000, validate_content=True).readall() == data[5:1005]
    with refused(416, "InvalidRange"):
        blob.download_blob(offset=300_000, length=1)
    with open(os.devnull, "wb") as sink:
        assert blob.download_blob().readinto(sink) == len(data)
    assert b"".join(blob.download_blob().chunks()) == data


def test_content_md5_is_checked(container):
    blob = container.get_blob_client("md5")
    blob.upload_blob(b"abc", validate_content=True)
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    with refused(400, "Md5Mismatch"):
        blob.upload_blob(b"abc", overwrite=True, headers={"Content-MD5": wrong})
    with refused(400, "InvalidMd5"):
        blob.upload_blob(b"abc", overwrite=True, headers={"Content-MD5": "short"})
    assert blob.download_blob().readall() == b"abc"


def test_blocks(container):
    blob = container.get_blob_client("blocks")
    ids = [f"{number:04}" for number in range(4)]
    parts = [os.urandom(70_000), b"b" * 10, os.urandom(200_000), b"d"]
    for id, part in zip(ids, parts):
        blob.stage_block(id, part)
    assert not blob.exists()
    assert container.get_blob_client("blocks").get_block_list("all")[1][0].size == 70_000
    with refused(400, "InvalidBlobOrBlock"):
        blob.stage_block("longer-id", b"x")
    with refused(400, "InvalidBlockList"):
        blob.commit_block_list([BlobBlock("9999")])
    blob.commit_block_list([BlobBlock(id) for id in ids[:3]], content_settings=ContentSettings(content_type="a/b"), metadata={"m": "1"})
    assert blob.download_blob().readall() == b"".join(parts[:3])
    committed, uncommitted = blob.get_block_list("all")
    assert [block.id for block in committed] == ids[:3] and uncommitted == []
    # A new block before old ones, an old one twice; what is not named goes.
    blob.stage_block("0009", b"new")
    blob.commit_block_list([BlobBlock("0009"), BlobBlock("0001"), BlobBlock("0001"), BlobBlock("0000")])
    assert blob.download_blob().readall() == b"new" + parts[1] * 2 + parts[0]
    assert [block.size for block in blob.get_block_list("committed")[0]] == [3, 10, 10, 70_000]
    with refused(400, "InvalidBlockList"):
        blob.commit_block_list([BlobBlock("0002")])
    blob.stage_block("0009", b"first")
    blob.stage_block("0009", b"second")
    blob.commit_block_list([BlobBlock("0009")])
    assert blob.download_blob().readall() == b"second"


def test_large_upload_in_blocks(service, container):
    """300 MB in blocks, four at once."""
    block = os.urandom(1 << 20)
    size = 300 * 1000 * 1000

    class Source:
        def __init__(self):
            self.place = 0

        def read(self, count):
            count = min(count, size - self.place)
            start = self.place % len(block)
            self.place += count
            return (block * (count // len(block) + 2))[start:start + count]

    client = BlobClient(service.url.rstrip("/"), container.container_name, "large", credential=service.credential,
                        max_block_size=4 << 20, max_single_put_size=4 << 20, max_single_get_size=4 << 20, max_chunk_get_size=4 << 20)
    client.upload_blob(Source(), length=size, max_concurrency=4)
    expected, found = hashlib.sha256(), hashlib.sha256()
    left = size
    while left:
        expected.update(block[:min(left, len(block))])
        left -= min(left, len(block))
    for chunk in client.download_blob(max_concurrency=4).chunks():
        found.update(chunk)
    assert found.digest() == expected.digest()
    assert len(client.get_block_list()[0]) == -(-size // (4 << 20))


def test_conditions(container):
    blob = container.get_blob_client("conditions")
    with refused(412, "ConditionNotMet"):
        blob.upload_blob(b"x", overwrite=True, etag="0x1", match_condition=MatchConditions.IfNotModified)
    first = blob.upload_blob(b"one")["etag"]
    second = blob.upload_blob(b"two", overwrite=True, etag=first, match_condition=MatchConditions.IfNotModified)["etag"]
    assert first != second
    with refused(412, "ConditionNotMet"):
        blob.upload_blob(b"three", overwrite=True, etag=first, match_condition=MatchConditions.IfNotModified)
    with refused(412, "ConditionNotMet"):
        blob.download_blob(etag=first, match_condition=MatchConditions.IfNotModified)
    with pytest.raises(HttpResponseError) as same:
        blob.download_blob(etag=second, match_condition=MatchConditions.IfModified)
    assert same.value.status_code == 304
    later, earlier = soon(), datetime.datetime.now(datetime.timezone.utc) - HOUR
    with pytest.raises(HttpResponseError) as unchanged:
        blob.get_blob_properties(if_modified_since=later)
    assert unchanged.value.status_code == 304
    with refused(412, "ConditionNotMet"):
        blob.set_blob_metadata({"a": "b"}, if_unmodified_since=earlier)
    blob.set_blob_metadata({"a": "b"}, if_unmodified_since=later)
    with refused(412, "ConditionNotMet"):
        blob.delete_blob(etag=second, match_condition=MatchConditions.IfNotModified)
    blob.delete_blob(if_modified_since=earlier)


def test_properties_and_metadata(container):
    blob = container.upload_blob("properties", b"x", metadata={"a": "1"})
    before = blob.get_blob_properties()
    blob.set_http_headers(ContentSettings(content_type="text/csv", content_md5=bytearray(16)))
    found = blob.get_blob_properties()
    assert found.content_settings.content_type == "text/csv" and found.content_settings.content_md5 == bytearray(16)
    assert found.etag != before.etag and found.metadata == {"a": "1"}
    blob.set_blob_metadata({"b": "2"})
    assert blob.get_blob_properties().metadata == {"b": "2"} and blob.get_blob_properties().content_settings.content_type == "text/csv"
    with refused(400, "InvalidMetadata"):
        blob.set_blob_metadata({"1-not-a-name": "x"})
    with refused(404, "BlobNotFound"):
        container.get_blob_client("nothing").set_blob_metadata({})


def test_tiers_and_tags(container):
    blob = container.upload_blob("tier", b"x")
    assert blob.get_blob_properties().blob_tier == "Hot" and blob.get_blob_properties().blob_tier_inferred
    blob.set_standard_blob_tier(StandardBlobTier.ARCHIVE)
    assert blob.get_blob_properties().blob_tier == "Archive"
    with refused(409, "BlobArchived"):
        blob.download_blob()
    blob.set_standard_blob_tier("Hot")
    assert blob.download_blob().readall() == b"x"
    assert blob.get_blob_tags() == {}
    blob.set_blob_tags({"project": "gate house", "n": "1"})
    assert blob.get_blob_tags() == {"project": "gate house", "n": "1"}
    listed = list(container.list_blobs(include=["tags"]))[0]
    assert listed.tags == {"project": "gate house", "n": "1"}
    with refused(400, "InvalidTag"):
        blob.set_blob_tags({"bad<": "x"})
    with refused(400, "TagsTooLarge"):
        blob.set_blob_tags({f"t{number}": "x" for number in range(11)})


# Leases


def test_blob_lease(container):
    blob = container.upload_blob("lease", b"one")
    lease = blob.acquire_lease(lease_duration=-1)
    found = blob.get_blob_properties().lease
    assert (found.status, found.state, found.duration) == ("locked", "leased", "infinite")
    with refused(412, "LeaseIdMissing"):
        blob.upload_blob(b"two", overwrite=True)
    with refused(412, "LeaseIdMismatchWithBlobOperation"):
        blob.upload_blob(b"two", overwrite=True, lease=str(uuid.uuid4()))
    blob.upload_blob(b"two", overwrite=True, lease=lease)
    with refused(412, "LeaseIdMissing"):
        blob.delete_blob()
    with refused(412, "LeaseIdMissing"):
        blob.set_blob_metadata({"a": "b"})
    blob.set_blob_metadata({"a": "b"}, lease=lease)
    assert blob.download_blob(lease=lease).readall() == b"two" and blob.download_blob().readall() == b"two"
    with refused(412, "LeaseIdMismatchWithBlobOperation"):
        blob.download_blob(lease=str(uuid.uuid4()))
    with refused(409, "LeaseAlreadyPresent"):
        blob.acquire_lease(15)
    with refused(409, "LeaseIdMismatchWithLeaseOperation"):
        BlobLeaseClient(blob, str(uuid.uuid4())).renew()
    proposed = str(uuid.uuid4())
    lease.change(proposed)
    lease.renew()
    assert lease.break_lease() == 0
    with refused(409, "LeaseIsBrokenAndCannotBeRenewed"):
        lease.renew()
    blob.upload_blob(b"three", overwrite=True)
    with refused(412, "LeaseNotPresentWithBlobOperation"):
        blob.upload_blob(b"four", overwrite=True, lease=lease)
    lease.release()
    again = blob.acquire_lease(lease_duration=15, lease_id=proposed)
    assert again.id == proposed and 0 < again.break_lease(lease_break_period=10) <= 10
    with refused(409, "LeaseIsBreakingAndCannotBeChanged"):
        again.change(str(uuid.uuid4()))
    with refused(409, "LeaseIsBreakingAndCannotBeAcquired"):
        blob.acquire_lease(lease_duration=15, lease_id=proposed)
    again.release()
    with refused(400, "InvalidHeaderValue"):
        blob.acquire_lease(lease_duration=5)
    blob.delete_blob()


# Append and page blobs


def test_append_blob(container):
    blob = container.get_blob_client("append")
    blob.create_append_blob(metadata={"a": "b"})
    first = blob.append_block(b"hello ")
    assert first["blob_append_offset"] == "0" and first["blob_committed_block_count"] == 1
    big = os.urandom(150_000)
    assert blob.append_block(big, appendpos_condition=6)["blob_append_offset"] == "6"
    with refused(412, "AppendPositionConditionNotMet"):
        blob.append_block(b"x", appendpos_condition=6)
    with refused(412, "MaxBlobSizeConditionNotMet"):
        blob.append_block(b"x" * 100, maxsize_condition=150_010)
    assert blob.download_blob().readall() == b"hello " + big
    found = blob.get_blob_properties()
    assert found.blob_type == BlobType.APPENDBLOB and found.append_blob_committed_block_count == 2
    with refused(409, "InvalidBlobType"):
        blob.stage_block("0001", b"x")
    blob.upload_blob(b" and more", blob_type=BlobType.APPENDBLOB)
    assert blob.download_blob().readall().endswith(b" and more")
    blob.seal_append_blob()
    with refused(409, "BlobIsSealed"):
        blob.append_block(b"x")
    with refused(404, "BlobNotFound"):
        container.get_blob_client("none").append_block(b"x")


def test_page_blob(container):
    blob = container.get_blob_client("pages")
    blob.create_page_blob(8192, sequence_number=3)
    assert blob.download_blob().readall() == bytes(8192) and blob.get_page_ranges()[0] == []
    one, two = os.urandom(1024), os.urandom(2048)
    blob.upload_page(one, 512, 1024)
    blob.upload_page(two, 1024, 2048)
    expected = bytearray(8192)
    expected[512:1536] = one
    expected[1024:3072] = two
    assert blob.download_blob().readall() == bytes(expected)
    assert blob.download_blob(offset=1000, length=100).readall() == bytes(expected[1000:1100])
    assert blob.get_page_ranges()[0] == [{"start": 512, "end": 3071}]
    blob.clear_page(1536, 512)
    expected[1536:2048] = bytes(512)
    assert blob.download_blob().readall() == bytes(expected)
    assert blob.get_page_ranges()[0] == [{"start": 512, "end": 1535}, {"start": 2048, "end": 3071}]
    assert blob.get_page_ranges(offset=0, length=1024)[0] == [{"start": 512, "end": 1023}]
    with refused(412, "SequenceNumberConditionNotMet"):
        blob.upload_page(one, 0, 1024, if_sequence_number_lt=3)
    blob.upload_page(one, 0, 1024, if_sequence_number_lte=3)
    blob.set_sequence_number("increment")
    assert blob.get_blob_properties().page_blob_sequence_number == 4
    blob.set_sequence_number("max", "9")
    blob.set_sequence_number("update", "2")
    assert blob.get_blob_properties().page_blob_sequence_number == 2
    blob.resize_blob(2560)
    assert blob.get_blob_properties().size == 2560
    with refused(416, "InvalidPageRange"):
        blob.upload_page(one, 2048, 1024)
    blob.resize_blob(4096)
    assert blob.download_blob(offset=2560).readall() == bytes(1536)
    with refused(400, "InvalidHeaderValue"):
        container.get_blob_client("odd").create_page_blob(1000)


# Snapshots, copies


def test_snapshots(container):
    blob = container.upload_blob("snapshot", b"one", metadata={"v": "1"})
    first = blob.create_snapshot()
    blob.upload_blob(b"two", overwrite=True)
    second = blob.create_snapshot(metadata={"note": "kept"})
    old = container.get_blob_client("snapshot", snapshot=first["snapshot"])
    assert old.download_blob().readall() == b"one" and old.get_blob_properties().metadata == {"v": "1"}
    new = container.get_blob_client("snapshot", snapshot=second["snapshot"])
    assert new.get_blob_properties().metadata == {"note": "kept"}
    listed = [(item.name, item.snapshot) for item in container.list_blobs(include=["snapshots"])]
    assert listed == [("snapshot", first["snapshot"]), ("snapshot", second["snapshot"]), ("snapshot", None)]
    pages = container.list_blobs(include=["snapshots"], results_per_page=1).by_page()
    assert [[item.snapshot for item in page] for page in pages] == [[first["snapshot"]], [second["snapshot"]], [None]]
    with refused(409, "SnapshotsPresent"):
        blob.delete_blob()
    old.delete_blob()
    with refused(404, "BlobNotFound"):
        old.get_blob_properties()
    blob.delete_blob(delete_snapshots="only")
    assert [item.snapshot for item in container.list_blobs(include=["snapshots"])] == [None]
    blob.create_snapshot()
    blob.delete_blob(delete_snapshots="include")
    assert list(container.list_blobs(include=["snapshots"])) == []


def test_copies(container, service, storage):
    data = os.urandom(200_000)
    source = container.upload_blob("source", data, metadata={"a": "b"}, content_settings=ContentSettings(content_type="x/y"))
    target = container.get_blob_client("deep/target")
    made = target.start_copy_from_url(source.url)
    assert made["copy_status"] == "success" and made["copy_id"]
    found = target.get_blob_properties()
    assert target.download_blob().readall() == data and found.metadata == {"a": "b"} and found.content_settings.content_type == "x/y"
    assert found.copy.status == "success" and found.copy.progress == "200000/200000" and found.copy.source == source.url
    source.delete_blob()
    assert target.download_blob().readall() == data
    target.start_copy_from_url(target.url, metadata={"self": "copy"})
    assert target.download_blob().readall() == data and target.get_blob_properties().metadata == {"self": "copy"}
    snapshot = target.create_snapshot()["snapshot"]
    target.upload_blob(b"changed", overwrite=True)
    target.start_copy_from_url(f"{target.url}?snapshot={snapshot}")
    assert target.download_blob().readall() == data
    with refused(404, "CannotVerifyCopySource"):
        target.start_copy_from_url(container.get_blob_client("nothing").url)
    with refused(409, "NoPendingCopyOperation"):
        target.abort_copy(made["copy_id"])
    with refused(412, "SourceConditionNotMet"):
        container.get_blob_client("c").start_copy_from_url(target.url, source_etag="0x1", source_match_condition=MatchConditions.IfNotModified)
    token = generate_blob_sas(storage["account"], container.container_name, "deep/target", account_key=storage["key"],
                              permission=BlobSasPermissions(read=True), expiry=soon())
    other = container.get_blob_client("from-url")
    other.upload_blob_from_url(f"{target.url}?{token}")
    assert other.download_blob().readall() == data and other.get_blob_properties().copy.id is None
    pieces = container.get_blob_client("pieces")
    pieces.stage_block_from_url("0001", target.url, source_offset=10, source_length=1000)
    pieces.stage_block_from_url("0002", target.url, source_offset=150_000, source_length=50_000)
    pieces.commit_block_list([BlobBlock("0001"), BlobBlock("0002")])
    assert pieces.download_blob().readall() == data[10:1010] + data[150_000:]


# Listing


def test_listing_with_prefix_and_delimiter(container):
    for name in ["a", "b/1", "b/2", "b/c/3", "d/4", "e", "ü/5"]:
        container.upload_blob(name, name.encode())
    assert [blob.name for blob in container.list_blobs()] == ["a", "b/1", "b/2", "b/c/3", "d/4", "e", "ü/5"]
    assert [blob.name for blob in container.list_blobs(name_starts_with="b/")] == ["b/1", "b/2", "b/c/3"]
    # The client puts a page's prefixes first.
    assert [item.name for item in container.walk_blobs()] == ["b/", "d/", "ü/", "a", "e"]
    assert [item.name for item in container.walk_blobs(name_starts_with="b/")] == ["b/c/", "b/1", "b/2"]
    pages = container.walk_blobs(results_per_page=2).by_page()
    assert [[item.name for item in page] for page in pages] == [["b/", "a"], ["d/", "e"], ["ü/"]]
    assert list(container.list_blob_names(name_starts_with="e")) == ["e"]
    container.get_blob_client("staged").stage_block("0001", b"x")
    assert [blob.name for blob in container.list_blobs(include=["uncommittedblobs"], name_starts_with="s")] == ["staged"]
    assert list(container.list_blobs(name_starts_with="s")) == []
    with refused(400, "OutOfRangeQueryParameterValue"):
        next(container.list_blobs(results_per_page=0).by_page()).next()


def test_listing_of_many_blobs(storage, live, container):
    import concurrent.futures
    import threading
    local = threading.local()
    count = 20_000 if DEEP else 1_200

    def put(number):
        if not hasattr(local, "client"):
            local.client = ContainerClient.from_connection_string(storage["connectionString"], container.container_name)
        local.client.get_blob_client(f"item-{number:05}").upload_blob(b"%d" % number)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(put, range(count)))
    names = list(container.list_blob_names())
    assert names == [f"item-{number:05}" for number in range(count)]
    pages = [len(list(page)) for page in container.list_blobs(results_per_page=count // 4).by_page()]
    assert pages == [count // 4] * 4


def test_batches(container):
    for number in range(10):
        container.upload_blob(f"batch-{number}", b"x")
    answers = list(container.delete_blobs(*[f"batch-{number}" for number in range(5)]))
    assert [answer.status_code for answer in answers] == [202] * 5
    container.set_standard_blob_tier_blobs("Cool", "batch-5", "batch-6")
    assert container.get_blob_client("batch-6").get_blob_properties().blob_tier == "Cool"
    answers = list(container.delete_blobs("batch-5", "missing", raise_on_any_failure=False))
    assert [answer.status_code for answer in answers] == [202, 404]
    assert [blob.name for blob in container.list_blobs()] == ["batch-6", "batch-7", "batch-8", "batch-9"]


# Signatures


def test_shared_access_signatures(service, storage, container):
    blob = container.upload_blob("signed", b"secret")
    url = service.url.rstrip("/")
    account, name, key = storage["account"], container.container_name, storage["key"]

    def client(token, blob_name="signed"):
        return BlobClient(url, name, blob_name, credential=token, retry_total=0)

    read = generate_blob_sas(account, name, "signed", account_key=key, permission=BlobSasPermissions(read=True), expiry=soon(),
                             content_type="text/special", cache_control="no-store")
    answer = client(read).download_blob()
    assert answer.readall() == b"secret" and answer.properties.content_settings.content_type == "text/special"
    with refused(403, "AuthorizationPermissionMismatch"):
        client(read).delete_blob()
    with refused(403, "AuthenticationFailed"):
        client(read, "other").download_blob()
    past = datetime.datetime.now(datetime.timezone.utc) - HOUR
    late = generate_blob_sas(account, name, "signed", account_key=key, permission="r", expiry=past)
    early = generate_blob_sas(account, name, "signed", account_key=key, permission="r", start=soon(), expiry=soon() + HOUR)
    for token in (late, early, read.replace("sp=r", "sp=rw")):
        with refused(403, "AuthenticationFailed"):
            client(token).download_blob()
    elsewhere = generate_blob_sas(account, name, "signed", account_key=key, permission="r", expiry=soon(), ip="10.0.0.1-10.0.0.9")
    with refused(403, "AuthorizationSourceIPMismatch"):
        client(elsewhere).download_blob()
    here = generate_blob_sas(account, name, "signed", account_key=key, permission="r", expiry=soon(), ip="127.0.0.1-127.0.0.9", protocol="https,http")
    assert client(here).download_blob().readall() == b"secret"
    secure = generate_blob_sas(account, name, "signed", account_key=key, permission="r", expiry=soon(), protocol="https")
    with refused(403, "AuthorizationProtocolMismatch"):
        client(secure).download_blob()
    create = generate_container_sas(account, name, key, permission=ContainerSasPermissions(create=True), expiry=soon())
    client(create, "created").upload_blob(b"new")
    with refused(403, "AuthorizationPermissionMismatch"):
        client(create).upload_blob(b"overwritten", overwrite=True)
    snapshot = blob.create_snapshot()["snapshot"]
    token = generate_blob_sas(account, name, "signed", snapshot=snapshot, account_key=key, permission="r", expiry=soon())
    assert BlobClient(url, name, "signed", snapshot=snapshot, credential=token).download_blob().readall() == b"secret"
    with refused(403, "AuthenticationFailed"):
        client(token).download_blob()


def test_account_signatures(service, storage, container):
    container.upload_blob("x", b"1")
    token = generate_account_sas(storage["account"], storage["key"], ResourceTypes(service=True, container=True, object=True),
                                 AccountSasPermissions(read=True, list=True), soon())
    signed = BlobServiceClient(service.url.rstrip("/"), credential=token, retry_total=0)
    assert container.container_name in [found.name for found in signed.list_containers()]
    assert signed.get_container_client(container.container_name).download_blob("x").readall() == b"1"
    with refused(403, "AuthorizationPermissionMismatch"):
        signed.create_container("not-allowed")
    objects = generate_account_sas(storage["account"], storage["key"], ResourceTypes(object=True), AccountSasPermissions(read=True), soon())
    with refused(403, "AuthorizationResourceTypeMismatch"):
        list(BlobServiceClient(service.url.rstrip("/"), credential=objects, retry_total=0).list_containers())


def test_wrong_keys_are_refused(service, storage, container):
    wrong = base64.b64encode(b"0" * 64).decode()
    with refused(403, "AuthenticationFailed"):
        BlobServiceClient(service.url.rstrip("/"), credential={"account_name": storage["account"], "account_key": wrong}, retry_total=0).get_account_information()
    with refused(404, "ResourceNotFound"):
        ContainerClient(service.url.rstrip("/"), container.container_name).get_container_properties()


def test_development_account(live, storage):
    development = BlobServiceClient.from_connection_string(
        f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/"
        f"K1SZFPTOtr/KBHBeksoGMGw==;BlobEndpoint={live.urls['blobs']}/devstoreaccount1;", retry_total=0)
    assert list(development.list_containers()) == []
    container = development.create_container("dev")
    container.upload_blob("x", b"y")
    assert container.download_blob("x").readall() == b"y"
    development.delete_container("dev")


# The asynchronous client


@pytest.mark.parametrize("size", [0, 1, 8191, 8192, 8193, 65536, 1_000_001, 9_000_000])
def test_sizes_through_the_asynchronous_client(storage, size):
    import asyncio
    data = os.urandom(size)

    async def run():
        async with AsyncBlobServiceClient.from_connection_string(storage["connectionString"], max_single_put_size=4 << 20, max_block_size=1 << 20) as service:
            container = service.get_container_client(f"async-{uuid.uuid4().hex[:8]}")
            await container.create_container()
            blob = container.get_blob_client("data")
            await blob.upload_blob(data, max_concurrency=4)
            assert await (await blob.download_blob(max_concurrency=4)).readall() == data
            assert (await blob.get_blob_properties()).size == size
            lease = await blob.acquire_lease(15)
            await blob.set_blob_metadata({"a": "b"}, lease=lease)
            await lease.release()
            snapshot = await blob.create_snapshot()
            await blob.upload_blob(b"other", overwrite=True)
            old = container.get_blob_client("data", snapshot=snapshot["snapshot"])
            assert await (await old.download_blob()).readall() == data
            copy = container.get_blob_client("copy")
            await copy.start_copy_from_url(blob.url)
            assert [item.name async for item in container.list_blobs()] == ["copy", "data"]
            assert [item.name async for item in container.walk_blobs()] == ["copy", "data"]
            await container.delete_blobs("copy")
            with pytest.raises(ResourceNotFoundError):
                await copy.get_blob_properties()
            await container.delete_container()
    asyncio.run(run())
