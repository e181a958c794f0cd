"""The installation's secret is made anew: what it sealed stays readable, and a rotation that is cut off is ended later."""
import base64
import os
import subprocess

import pytest

from gatehouse import BINARY, call, server


def test_rotation(tmp_path):
    with server() as own:
        demo = own.demo()
        put = own.management("PUT", "/namedValues/token", {"properties": {"displayName": "token", "value": "sesame", "secret": True}})
        assert put.status == 201
        secrets = own.data / "secrets"
        call_api = lambda: call(own.urls["gateway"], "GET", "/echo/resource?param1=x", None, {"Ocp-Apim-Subscription-Key": demo["subscriptionKey"]}).status

        def works():
            assert own.management("POST", "/namedValues/token/listValue", {}).json() == {"value": "sesame"}
            keys = own.management("POST", "/subscriptions/master/listSecrets", {}).json()
            answer = call(own.urls["gateway"], "GET", "/echo/resource?param1=x", None, {"Ocp-Apim-Subscription-Key": keys["primaryKey"]})
            assert answer.status == 200
            wrong = call(own.urls["gateway"], "GET", "/echo/resource?param1=x", None, {"Ocp-Apim-Subscription-Key": "0" * 32})
            assert wrong.status == 401
            return keys

        keys = works()
        running = own.command("rotate-secret", check=False)
        assert running.returncode != 0 and "in use" in running.stderr
        own.stop()
        first = (secrets / "master.key").read_text()
        done = own.command("rotate-secret").stdout
        assert int(done.split()[0]) > 10
        second = (secrets / "master.key").read_text()
        assert second != first and (secrets / "master.key").stat().st_mode & 0o777 == 0o600
        own.start()
        assert works() == keys and own.demo()["apiKey"] == demo["apiKey"]
        # Cut off before anything was sealed by the key to come, and after everything was.
        fresh = lambda: base64.b64encode(os.urandom(32)).decode() + "\n"
        for key, next_key in ((second, fresh()), (fresh(), None)):
            own.stop()
            next_key = next_key or (secrets / "master.key").read_text()
            (secrets / "master.key").write_text(key)
            (secrets / "master.key.next").write_text(next_key)
            own.start()
            assert not (secrets / "master.key.next").exists() and (secrets / "master.key").read_text() == next_key
            assert works() == keys
        # The key of before opens nothing any more, and the start says so.
        own.stop()
        (secrets / "master.key").write_text(first)
        with pytest.raises(RuntimeError, match="is not the one"):
            own.start()
        own.process = None
        empty = subprocess.run([BINARY, "rotate-secret", "--data", str(tmp_path / "none")], capture_output=True, text=True)
        assert empty.returncode != 0 and "no installation" in empty.stderr
