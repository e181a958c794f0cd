"""Every door of the data path beside imports, applied configurations, policies and runs that keep management busy for long."""
import json

import pytest

from gatehouse import call, rrs_path, server, table
from test_expansion import heavy, times_beside
from test_policies import sections
from test_storage import development


@pytest.fixture(scope="module")
def own():
    with server() as fresh:
        fresh.guide = fresh.demo()
        yield fresh


def test_every_door_beside_heavy_management(own, tmp_path):
    text, guide = heavy(), own.guide
    development(own).create_container("beside", public_access="blob").upload_blob("small", b"small")
    policy = sections(inbound="<base />" + '<set-header name="x-h"><value>@(context.Api.Id + "x")</value></set-header>' * 500)

    def put(path, properties):
        def work():
            done = own.management("PUT", path, {"properties": properties})
            assert done.status in (200, 201), done.text
        return work

    works = [put(f"/apis/heavy{number}", {"path": f"heavy{number}", "format": kind, "value": text})
             for number, kind in enumerate(("openapi", "openapi+json"))]
    for work in works:
        work()
    works.append(put("/apis/heavy0/policies/policy", {"format": "rawxml", "value": policy}))
    own.command("export", str(tmp_path / "folder"))
    works.append(lambda: own.command("apply", str(tmp_path / "folder"), "--dry-run"))
    works.append(lambda: own.demo())
    key = {"Authorization": f"Bearer {guide['apiKey']}", "Content-Type": "application/json"}
    body = json.dumps(table([["This is a good day"]]))
    times = times_beside(own, 30, {
        "blobs": lambda: call(own.urls["blobs"], "GET", "/devstoreaccount1/beside/small"),
        "gateway": lambda: call(own.urls["gateway"], "GET", "/echo/resource?param1=x", None, {"Ocp-Apim-Subscription-Key": guide["subscriptionKey"]}),
        "services": lambda: call(own.urls["services"], "POST", rrs_path(guide), body, key),
    }, works)
    for name, taken in times.items():
        print(name, len(taken), [round(taken[int(len(taken) * part)] * 1000, 1) for part in (0.5, 0.9, 0.99)], round(taken[-1] * 1000, 1))
        assert taken[len(taken) // 2] < 0.03 and taken[int(len(taken) * 0.99)] < 0.5, (name, taken[-20:])
