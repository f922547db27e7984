"""Tests of the fake cloud: metadata, tokens, proxy, the relay to Datastore, and HTTP itself."""
import base64
import http.client
import json
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

from cloud_lab import make_certificate, make_key, public_key
from gcloud.server import Server
from harness import remove_tree
from server_test import UPLOAD, ServerTest


class MetadataServer(ServerTest):
    ROOT = "/computeMetadata/v1/"

    def ask_metadata(self, path, flavor="Google", **headers):
        return self.call("GET", self.ROOT + path, Metadata_Flavor=flavor, **headers)

    def test_metadata_rules_are_enforced(self):
        zone = self.ask_metadata("instance/zone")
        self.assertEqual((zone.status, zone.body), (200, b"projects/123456/zones/us-east1-b"))
        self.assertEqual(zone.headers["Metadata-Flavor"], "Google")
        self.assertEqual(self.ask_metadata("instance/zone", flavor="no").status, 403)
        self.assertEqual(self.ask_metadata("instance/zone", X_Forwarded_For="1.2.3.4").status, 403)
        self.assertEqual(self.call("GET", self.ROOT + "instance/zone").status, 403)
        for path, status in (("instance/nothing", 404), ("instance/attributes", 301),
                             ("instance/?wait_for_change=true", 400),
                             ("instance/service-accounts/default/token/", 404)):
            self.assertEqual(self.ask_metadata(path).status, status, path)
        self.assertIn(b"attributes/\n", self.ask_metadata("instance/").body)
        tree = self.ask_metadata("instance/?recursive=true&alt=json").json()
        self.assertEqual(tree["networkInterfaces"]["0"]["ip"], "10.0.0.7")
        self.server.metadata.set("instance/zone", None)
        self.assertEqual(self.ask_metadata("instance/zone").status, 404)

    def test_wait_for_change_returns_change(self):
        first = self.ask_metadata("instance/preempted")
        wait = f"instance/preempted?wait_for_change=true&last_etag={first.headers['ETag']}"
        same = self.ask_metadata(wait + "&timeout_sec=0.1")
        self.assertEqual((same.status, same.body), (200, b"FALSE"))
        change = threading.Timer(0.1, self.server.metadata.set, ["instance/preempted", "TRUE"])
        change.start()
        self.assertEqual(self.ask_metadata(wait + "&timeout_sec=20").body, b"TRUE")
        # The client also gets a change that happened between two requests.
        self.assertEqual(self.ask_metadata(wait + "&timeout_sec=20").body, b"TRUE")

    def test_metadata_token_is_accepted(self):
        token = self.ask_metadata("instance/service-accounts/default/token").json()
        self.assertEqual((token["expires_in"], token["token_type"]), (3599, "Bearer"))
        self.server.needs_token = True
        header = f"Bearer {token['access_token']}"
        self.assertEqual(self.get("a", Authorization=header).status, 404)


class TokenEndpoint(ServerTest):
    def form(self, path, **fields):
        return self.call("POST", path, urllib.parse.urlencode(fields),
                         Content_Type="application/x-www-form-urlencoded")

    def assertion(self, key, **changes):
        now = int(time.time())
        claims = {"iss": "me", "scope": "s1 s2", "aud": "https://oauth2.googleapis.com/token",
                  "iat": now - 10, "exp": now + 3590, **changes}

        def encoded(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")

        text = b".".join(encoded(json.dumps(part).encode())
                         for part in ({"alg": "RS256", "typ": "JWT"}, claims))
        signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text,
                                capture_output=True, check=True).stdout
        return (text + b"." + encoded(signed)).decode()

    def test_service_account_grant_is_checked(self):
        key = make_key(self)
        self.server.oauth.accounts["me"] = public_key(key)

        def grant(assertion):
            return self.form("/token", assertion=assertion,
                             grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer")

        self.assertEqual(grant(self.assertion(key)).json()["expires_in"], 3599)
        now = int(time.time())
        for bad in ({"iss": "you"}, {"aud": "https://evil.example/"}, {"exp": now + 7000},
                    {"iat": now + 600, "exp": now + 700}, {"exp": now - 1}):
            answer = grant(self.assertion(key, **bad))
            self.assertEqual((answer.status, answer.json()["error"]), (400, "invalid_grant"), bad)
        other = grant(self.assertion(make_key(self)))
        self.assertEqual(other.json()["error_description"], "Invalid JWT Signature.")

    def test_user_and_exchange_grants_are_checked(self):
        self.server.oauth.users["refresh"] = ("id", "secret")
        self.server.oauth.subjects.add("subject")
        user = {"grant_type": "refresh_token", "refresh_token": "refresh", "client_id": "id"}
        self.assertEqual(self.form("/token", **user, client_secret="secret").status, 200)
        self.assertEqual(self.form("/token", **user, client_secret="wrong").status, 401)
        self.assertEqual(self.form("/token", **{**user, "refresh_token": "x"}).status, 400)
        exchange = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
                    "audience": "a", "subject_token_type": "t", "subject_token": "subject",
                    "scope": "https://www.googleapis.com/auth/cloud-platform",
                    "requested_token_type": "urn:ietf:params:oauth:token-type:access_token"}
        token = self.form("/v1/token", **exchange).json()["access_token"]
        bad = self.form("/v1/token", **{**exchange, "subject_token": "x"})
        self.assertEqual(bad.status, 400)
        target = "/v1/projects/-/serviceAccounts/a@b:generateAccessToken"
        body = json.dumps({"scope": ["s"], "lifetime": "600s"})
        self.assertEqual(self.call("POST", target, body).status, 401)
        answer = self.call("POST", target, body, Authorization=f"Bearer {token}").json()
        self.assertRegex(answer["expireTime"], r"^\d{4}-\d\d-\d\dT[\d:]{8}Z$")


class Connections(ServerTest):
    def talk(self, text):
        with socket.create_connection(("127.0.0.1", self.server.port)) as sock:
            sock.sendall(text)
            sock.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: sock.recv(1 << 16), b""))

    def test_invalid_http_ends_only_connection(self):
        for text in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
            self.assertTrue(self.talk(text).startswith(b"HTTP/1.1 400 "))
        self.assertEqual(self.talk(b"\0" * 99), b"")
        self.assertEqual(self.get("a").status, 404)

    def test_tls_serves_google_hosts(self):
        directory = tempfile.mkdtemp()
        self.addCleanup(remove_tree, directory)
        certificate = make_certificate(directory)
        server = Server(certificate=certificate)
        self.addCleanup(server.close)
        server.storage.put("lab", "a", b"x")
        trust = ssl.create_default_context(cafile=certificate[0])

        def get(host, **headers):
            link = http.client.HTTPSConnection("127.0.0.1", server.port, context=trust)
            self.addCleanup(link.close)
            link.set_tunnel(host, 443)
            link.request("GET", "/storage/v1/b/lab/o/a?alt=media", headers=headers)
            return link.getresponse().status

        self.assertEqual(get("storage.googleapis.com"), 401)
        token = server.tokens.issue(["https://www.googleapis.com/auth/cloud-platform"], 60)
        self.assertEqual(get("storage.googleapis.com", Authorization=f"Bearer {token}"), 200)
        self.assertTrue(server.requests()[0].trusted)
        with self.assertRaises(OSError):
            get("example.com")

    def test_missing_emulator_gives_502(self):
        lookup = "/v1/projects/p:lookup"
        self.assertEqual(self.call("POST", lookup, b"{}").status, 404)
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            self.server.datastore.address = f"127.0.0.1:{unused.getsockname()[1]}"
            self.assertEqual(self.call("POST", lookup, b"{}").status, 502)
        self.assertEqual(len(self.server.requests("datastore.lookup")), 1)

    def test_pipelining_and_chunks_are_supported(self):
        self.storage.put("lab", "a", b"x")
        get = b"GET /storage/v1/b/lab/o/a?alt=media HTTP/1.1\r\nHost: h\r\n\r\n"
        self.assertEqual(self.talk(get * 3).count(b"HTTP/1.1 200"), 3)
        put = (f"POST {UPLOAD}media&name=c HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
               "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n").encode()
        answer = self.talk(put + get)
        self.assertTrue(answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"))
        self.assertEqual(self.storage.data("lab", "c"), b"abcde")
        self.assertEqual(answer.count(b"HTTP/1.1 200"), 2)


if __name__ == "__main__":
    unittest.main()
