"""The base of the tests of our own cloud server: a server, and exchanges with it."""
import http.client
import json
import unittest
import urllib.parse

from gcloud.server import Server

GRANULE = 256 * 1024
DATA = bytes(range(256)) * 4096  # 1 MiB
UPLOAD = "/upload/storage/v1/b/lab/o?uploadType="


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


class ServerTest(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.close)
        self.storage = self.server.storage
        self.storage.make_bucket("lab")
        self.link = None

    def call(self, method, target, body=b"", **headers):
        """One exchange on a connection that stays open."""
        if self.link is None:
            self.link = http.client.HTTPConnection(self.server.address, timeout=20)
            self.addCleanup(self.link.close)
        try:
            self.link.request(method, target, body,
                              {name.replace("_", "-"): text for name, text in headers.items()})
            return Answer(self.link.getresponse())
        except (OSError, http.client.HTTPException):
            self.link.close()
            self.link = None
            raise

    def get(self, name, query="", **headers):
        headers.setdefault("Accept_Encoding", "gzip")
        name = urllib.parse.quote(name, safe="")
        return self.call("GET", f"/storage/v1/b/lab/o/{name}?{query}", **headers)

    def start_session(self, name="big", query="", **headers):
        answer = self.call("POST", f"{UPLOAD}resumable&name={name}{query}", b"{}",
                           Content_Type="application/json; charset=UTF-8", **headers)
        self.assertEqual(answer.status, 200, answer.body)
        location = urllib.parse.urlsplit(answer.headers["Location"])
        return f"{location.path}?{location.query}"

    def put(self, session, first, data, total, **headers):
        content_range = f"bytes {first}-{first + len(data) - 1}/{total}"
        return self.call("PUT", session, data, Content_Range=content_range, **headers)

    def ask(self, session, total="*"):
        return self.call("PUT", session, b"", Content_Range=f"bytes */{total}")
