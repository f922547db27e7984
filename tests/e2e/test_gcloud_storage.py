"""Tests of the fake Cloud Storage: it follows Google's documentation and makes ordered faults.

The tests use no worker, because a worker could share an error with the server.
"""
import base64
import gzip
import hashlib
import http.client
import json
import time
import unittest
import urllib.parse

import harness
from gcloud import checksum, faults
from server_test import DATA, GRANULE, UPLOAD, ServerTest


class Checksums(unittest.TestCase):
    def test_crc32c_matches_reference(self):
        for length in (0, 1, 9, 1024, 1025, 4096, 131072, 131073, 300_001):
            data = (DATA * 2)[7:length + 7]
            self.assertEqual(checksum.crc32c(data), harness.crc32c(data), length)
        self.assertEqual(checksum.crc32c_text(checksum.crc32c(b"hello")), "mnG7TA==")


class Composing(ServerTest):
    def compose(self, sources, query="", **destination):
        body = json.dumps({"sourceObjects": sources, "destination": destination})
        return self.call("POST", f"/storage/v1/b/lab/o/d%2Fall/compose?{query}", body.encode(),
                         Content_Type="application/json")

    def test_objects_are_joined(self):
        first = self.storage.put("lab", "d/all", b"one ")
        second = self.storage.put("lab", "b", b"two")
        sources = [{"name": found.name, "generation": str(found.generation),
                    "objectPreconditions": {"ifGenerationMatch": str(found.generation)}}
                   for found in (first, second)]
        query = f"ifGenerationMatch={first.generation}"
        answer = self.compose(sources, query, contentType="text/plain")
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(self.storage.data("lab", "d/all"), b"one two")
        resource = answer.json()
        self.assertEqual((resource["size"], resource["componentCount"]), ("7", 2))
        self.assertEqual(resource["crc32c"], checksum.crc32c_text(checksum.crc32c(b"one two")))
        self.assertEqual(resource["contentType"], "text/plain")
        self.assertNotIn("md5Hash", resource)
        hashes = self.get("d/all", "alt=media").headers.get_all("X-Goog-Hash")
        self.assertEqual(hashes, [f"crc32c={resource['crc32c']}"])
        self.assertEqual(self.compose(sources[1:], query).status, 412)
        self.assertEqual(self.compose(sources).status, 404)  # the first has another generation
        self.assertEqual(self.storage.data("lab", "d/all"), b"one two")

    def test_compose_is_refused(self):
        found = self.storage.put("lab", "a", b"x")
        source = {"name": "a", "objectPreconditions": {"ifGenerationMatch": "1"}}
        self.assertEqual(self.compose([source]).status, 412)
        self.assertEqual(self.compose([{"name": "a"}] * 33).status, 400)
        self.assertEqual(self.compose([]).status, 400)
        self.storage.put("lab", "d/all", b"old")
        self.storage.denied.add("storage.objects.delete")
        self.assertEqual(self.compose([{"name": "a"}]).status, 403)
        self.storage.denied = {"storage.objects.get"}
        self.assertEqual(self.compose([{"name": "a"}]).status, 403)
        self.storage.denied = set()
        self.storage.find("lab", "d/all").kept = {"temporaryHold": True}
        self.assertEqual(self.compose([{"name": "a"}]).status, 403)
        self.assertEqual(self.storage.data("lab", "d/all"), b"old")
        self.assertEqual(found.data, b"x")


class Reading(ServerTest):
    def test_objects_and_ranges_are_read(self):
        found = self.storage.put("lab", "a", DATA)
        whole = self.get("a", "alt=media")
        self.assertEqual((whole.status, whole.body), (200, DATA))
        self.assertEqual(whole.headers["X-Goog-Generation"], str(found.generation))
        self.assertEqual(whole.headers["X-Goog-Stored-Content-Length"], str(len(DATA)))
        size = len(DATA)
        for text, first, end in (("0-0", 0, 1), ("5-9", 5, 10), (f"{size - 3}-", size - 3, size),
                                 ("-4", size - 4, size), (f"7-{size * 2}", 7, size)):
            part = self.get("a", "alt=media", Range=f"bytes={text}")
            self.assertEqual((part.status, part.body), (206, DATA[first:end]))
            self.assertEqual(part.headers["Content-Range"], f"bytes {first}-{end - 1}/{size}")
            hashes = ",".join(part.headers.get_all("X-Goog-Hash"))
            self.assertEqual(hashes, f"crc32c={found.crc32c},md5={found.md5}")
        self.assertEqual(self.get("a", "alt=media", Range=f"bytes={size}-").status, 416)
        self.storage.put("lab", "empty", b"")
        self.assertEqual(self.get("empty", "alt=media", Range="bytes=0-").status, 416)
        self.assertEqual(self.get("empty", "alt=media").body, b"")

    def test_testbench_quirks_are_imitated(self):
        self.storage.put("lab", "empty", b"")
        self.storage.put("lab", "a", DATA)
        self.server.objects_api.omits_zeros = True
        self.server.objects_api.ranges_as_200 = True
        self.assertNotIn("size", self.get("empty").json())
        self.assertEqual(self.get("a").json()["size"], str(len(DATA)))
        part = self.get("a", "alt=media", Range="bytes=5-9")
        self.assertEqual((part.status, part.body), (200, DATA[5:10]))
        self.assertEqual(part.headers["Content-Range"], f"bytes 5-9/{len(DATA)}")

    def test_read_preconditions_are_checked(self):
        old = self.storage.put("lab", "a", b"old").generation
        new = self.storage.put("lab", "a", b"new").generation
        self.assertGreater(new, old)
        for query, status in ((f"generation={new}", 200), (f"generation={old}", 404),
                              (f"ifGenerationMatch={old}", 412), ("ifGenerationMatch=0", 412),
                              (f"ifGenerationNotMatch={new}", 304)):
            for media in ("", "alt=media&"):
                self.assertEqual(self.get("a", media + query).status, status, media + query)

    def test_errors_are_json_except_media(self):
        self.assertEqual(self.get("no").json()["error"]["code"], 404)
        media = self.get("no", "alt=media")
        self.assertEqual((media.status, media.body), (404, b"No such object: lab/no"))
        self.assertEqual(self.call("GET", "/storage/v1/b/nowhere/o/a").status, 404)

    def test_names_are_decoded_once(self):
        names = ["a b", "a+b", "a%2Fb", "a/b", "/a", "../a", "a//b", "?", "#", "é", "x" * 1024]
        for name in names:
            self.storage.put("lab", name, name.encode())
        for name in names:
            self.assertEqual(self.get(name, "alt=media").body, name.encode())
            self.assertEqual(self.get(name, "fields=name,size").json(),
                             {"name": name, "size": str(len(name.encode()))})
        self.assertEqual(self.call("GET", "/storage/v1/b/lab/o/a/b").status, 404)

    def test_gzip_is_decoded_if_not_accepted(self):
        packed = gzip.compress(DATA)
        self.storage.put("lab", "z", packed, contentEncoding="gzip")
        stored = self.get("z", "alt=media", Range="bytes=0-9")
        self.assertEqual((stored.status, stored.body), (206, packed[:10]))
        self.assertEqual(stored.headers["Content-Encoding"], "gzip")
        undone = self.get("z", "alt=media", Range="bytes=0-9", Accept_Encoding="identity")
        self.assertEqual((undone.status, undone.body), (200, DATA))
        self.assertNotIn("Content-Encoding", undone.headers)
        self.assertNotIn("Content-Length", undone.headers)
        self.assertEqual(undone.headers["X-Goog-Stored-Content-Encoding"], "gzip")
        self.storage.put("lab", "n", packed, contentEncoding="gzip", cacheControl="no-transform")
        self.assertEqual(self.get("n", "alt=media", Accept_Encoding="identity").body, packed)

    def test_objects_are_listed_in_pages(self):
        for name in ("a/1", "a/2", "b", "c/d/e", "é"):
            self.storage.put("lab", name, b"x")

        def listed(query):
            answer = self.call("GET", f"/storage/v1/b/lab/o?{query}").json()
            return ([item["name"] for item in answer.get("items", [])], answer.get("prefixes", []),
                    answer.get("nextPageToken"))

        self.assertEqual(listed(""), (["a/1", "a/2", "b", "c/d/e", "é"], [], None))
        self.assertEqual(listed("prefix=a/"), (["a/1", "a/2"], [], None))
        self.assertEqual(listed("delimiter=/"), (["b", "é"], ["a/", "c/"], None))
        names, token = [], ""
        while token is not None:
            page, _, token = listed(f"maxResults=2&pageToken={urllib.parse.quote(token)}")
            names += page
        self.assertEqual(names, ["a/1", "a/2", "b", "c/d/e", "é"])

    def test_delete_checks_generation(self):
        generation = self.storage.put("lab", "a", b"x").generation
        target = "/storage/v1/b/lab/o/a?ifGenerationMatch="
        self.assertEqual(self.call("DELETE", f"{target}{generation - 1}").status, 412)
        self.assertEqual(self.call("DELETE", f"{target}{generation}").status, 204)
        self.assertEqual(self.call("DELETE", f"{target}{generation}").status, 404)


class Writing(ServerTest):
    def multipart(self, metadata, content, query="", boundary="==b=="):
        body = (f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n"
                f"{json.dumps(metadata)}\r\n--{boundary}\r\nContent-Type: text/plain\r\n\r\n"
                ).encode() + content + f"\r\n--{boundary}--\r\n".encode()
        return self.call("POST", f"{UPLOAD}multipart{query}", body,
                         Content_Type=f'multipart/related; boundary="{boundary}"')

    def test_multipart_keeps_every_byte(self):
        for content in (b"", b"\r\n", b"--==b=", b"\r\n--==b==x", b"\0\r\n\r\n--", DATA):
            answer = self.multipart({"name": "m/1"}, content)
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual(self.storage.data("lab", "m/1"), content)
            self.assertEqual(answer.json()["size"], str(len(content)))
            crc = harness.crc32c(content).to_bytes(4, "big")
            self.assertEqual(answer.json()["crc32c"], base64.b64encode(crc).decode())
            md5 = base64.b64encode(hashlib.md5(content).digest()).decode()
            self.assertEqual(answer.json()["md5Hash"], md5)

    def test_wrong_checksum_is_refused(self):
        for said in ({"crc32c": "AAAAAA=="}, {"md5Hash": "AAAAAAAAAAAAAAAAAAAAAA=="}):
            answer = self.multipart({"name": "m", **said}, b"hello")
            self.assertEqual((answer.status, self.storage.data("lab", "m")), (400, None))
        self.assertEqual(self.multipart({"name": "m", "crc32c": "mnG7TA=="}, b"hello").status, 200)

    def test_write_preconditions_are_checked(self):
        first = self.multipart({"name": "m"}, b"1", "&ifGenerationMatch=0").json()["generation"]
        self.assertEqual(self.multipart({"name": "m"}, b"2", "&ifGenerationMatch=0").status, 412)
        second = self.multipart({"name": "m"}, b"3", f"&ifGenerationMatch={first}")
        self.assertGreater(int(second.json()["generation"]), int(first))
        self.assertEqual(self.storage.data("lab", "m"), b"3")

    def test_invalid_uploads_are_refused(self):
        target = UPLOAD.replace("/lab/", "/nowhere/")
        self.assertEqual(self.call("POST", f"{target}media&name=a", b"x").status, 404)
        self.assertEqual(self.call("POST", f"{UPLOAD}nonsense&name=a", b"x").status, 400)
        self.assertEqual(self.multipart({}, b"no name").status, 400)
        self.assertEqual(self.multipart({"name": "é" * 513}, b"long").status, 400)
        self.assertEqual(self.call("POST", f"{UPLOAD}multipart", b"x",
                                   Content_Type="text/plain").status, 400)

    def test_resumable_single_piece_is_stored(self):
        session = self.start_session(X_Upload_Content_Length=str(len(DATA)))
        answer = self.put(session, 0, DATA, len(DATA))
        self.assertEqual((answer.status, self.storage.data("lab", "big")), (200, DATA))
        again = self.ask(session)  # a finished session returns its object
        self.assertEqual((again.status, again.body), (200, answer.body))

    def test_resumable_chunks_are_joined(self):
        session = self.start_session()
        none = self.ask(session)
        self.assertEqual((none.status, none.headers["Range"]), (308, None))
        self.assertEqual(self.put(session, 0, DATA[:1000], "*").status, 400)  # not a granule
        part = self.put(session, 0, DATA[:2 * GRANULE], "*")
        self.assertEqual((part.status, part.headers["Range"]), (308, f"bytes=0-{2 * GRANULE - 1}"))
        self.assertEqual(self.put(session, 3 * GRANULE, DATA[3 * GRANULE:], len(DATA)).status, 400)
        # The server ignores bytes that it already has.
        again = self.put(session, GRANULE, DATA[GRANULE:3 * GRANULE], "*")
        self.assertEqual(again.headers["Range"], f"bytes=0-{3 * GRANULE - 1}")
        self.assertEqual(self.put(session, 3 * GRANULE, DATA[3 * GRANULE:], len(DATA)).status, 200)
        self.assertEqual(self.storage.data("lab", "big"), DATA)

    def test_resumable_session_ends(self):
        session = self.start_session("empty")
        self.assertEqual(self.ask(session, 0).status, 200)
        self.assertEqual(self.storage.data("lab", "empty"), b"")
        session = self.start_session()
        self.put(session, 0, DATA[:GRANULE], "*")
        # A status query with the right total finishes the upload.
        self.assertEqual(self.ask(session, GRANULE).status, 200)
        session = self.start_session()
        self.assertEqual(self.call("DELETE", session).status, 499)
        self.assertEqual(self.ask(session).status, 404)

    def test_resumable_object_may_appear_late(self):
        session = self.start_session()
        self.server.faults.add(kind="upload.put", action="defer")
        answer = self.put(session, 0, DATA[:1000], 1000)
        self.assertEqual((answer.status, answer.headers["Range"]), (308, "bytes=0-999"))
        self.assertIsNone(self.storage.data("lab", "big"))
        answer = self.call("PUT", session, Content_Range="bytes */1000")
        self.assertEqual((answer.status, answer.json()["size"]), (200, "1000"))

    def test_resumable_upload_is_checked_at_end(self):
        session = self.start_session("n", "&ifGenerationMatch=0")
        self.storage.put("lab", "n", b"meanwhile")
        self.assertEqual(self.put(session, 0, b"late", 4).status, 412)
        session = self.start_session("h")
        wrong = self.put(session, 0, b"hello", 5, X_Goog_Hash="crc32c=AAAAAA==")
        self.assertEqual((wrong.status, self.storage.data("lab", "h")), (400, None))
        session = self.start_session("l", X_Upload_Content_Length="6")
        self.assertEqual(self.put(session, 0, b"hello", 5).status, 400)
        session = self.start_session("f")
        self.assertEqual(self.put(session, 0, b"hello", 5, Content_Type=(
            "application/x-www-form-urlencoded")).status, 400)

    def test_tokens_are_checked(self):
        self.server.needs_token = True
        self.assertEqual(self.get("a").status, 401)
        scope = "https://www.googleapis.com/auth/"
        for scopes, status in (([scope + "cloud-platform"], 404), ([scope + "datastore"], 403)):
            token = self.server.tokens.issue(scopes, 60)
            self.assertEqual(self.get("a", Authorization=f"Bearer {token}").status, status)
        token = self.server.tokens.issue([scope + "cloud-platform"], -1)
        self.assertEqual(self.get("a", Authorization=f"Bearer {token}").status, 401)


class Faults(ServerTest):
    def test_rules_match_and_are_counted(self):
        self.storage.put("lab", "a", b"x")
        rule = self.server.faults.add(action="status", code=503, retry_after=7, kind="object.*",
                                      path="/a", skip=1, count=2)
        self.assertEqual([self.get("a").status for _ in range(5)], [200, 503, 503, 200, 200])
        self.assertEqual((rule.strikes, self.get("b").status), (2, 404))
        self.server.faults.add(action="status", code=503, holds="needle", count=0)
        statuses = [self.call("POST", f"{UPLOAD}media&name=h", body).status
                    for body in (b"hay", b"hay needle hay", b"needle" * 9)]
        self.assertEqual(statuses, [200, 503, 503])
        self.assertEqual(self.storage.data("lab", "h"), b"hay")
        for bad in ({"action": "explode"}, {"action": "status"}, {"action": "cut", "colour": 1}):
            with self.assertRaises(ValueError):
                faults.Rule(**bad)

    def test_applied_request_may_fail(self):
        self.server.faults.add(action="status", code=503, apply=True, kind="upload.media")
        self.assertEqual(self.call("POST", f"{UPLOAD}media&name=a", b"x").status, 503)
        self.assertEqual(self.storage.data("lab", "a"), b"x")
        self.server.faults.add(action="cut", apply=True, kind="upload.media")
        with self.assertRaises(OSError):
            self.call("POST", f"{UPLOAD}media&name=b", b"y")
        self.assertEqual(self.storage.data("lab", "b"), b"y")

    def test_cuts_break_connections(self):
        self.storage.put("lab", "a", DATA)
        for how, error in (("rst", OSError), ("fin", http.client.HTTPException)):
            self.server.faults.add(action="cut", kind="object.media", how=how)
            with self.assertRaises(error):
                self.get("a", "alt=media")
        self.server.faults.add(action="cut", response_bytes=1000, how="fin", kind="object.media",
                               seconds=0.1)
        with self.assertRaises(http.client.IncompleteRead) as caught:
            self.get("a", "alt=media")
        self.assertEqual(caught.exception.partial, DATA[:1000])
        session = self.start_session()
        self.server.faults.add(action="cut", request_bytes=GRANULE + 1, kind="upload.put")
        with self.assertRaises(OSError):
            self.put(session, 0, DATA, len(DATA))
        self.assertEqual(self.ask(session).headers["Range"], f"bytes=0-{GRANULE - 1}")
        self.server.faults.add(action="persist", bytes=2 * GRANULE, kind="upload.put")
        answer = self.put(session, GRANULE, DATA[GRANULE:], len(DATA))
        self.assertEqual((answer.status, answer.headers["Range"]),
                         (308, f"bytes=0-{3 * GRANULE - 1}"))
        self.assertEqual(self.put(session, 3 * GRANULE, DATA[3 * GRANULE:], len(DATA)).status, 200)
        self.assertEqual(self.storage.data("lab", "big"), DATA)

    def test_stalls_delay_answers(self):
        self.storage.put("lab", "a", DATA)
        for mark in ({}, {"response_bytes": 10}):
            self.server.faults.add(action="stall", seconds=0.3, kind="object.media", **mark)
            started = time.monotonic()
            self.assertEqual(self.get("a", "alt=media").body, DATA)
            self.assertGreater(time.monotonic() - started, 0.3)

    def test_corruption_changes_answers(self):
        self.storage.put("lab", "a", DATA)
        add = self.server.faults.add
        add(action="corrupt", offset=5, kind="object.media")
        self.assertEqual(self.get("a", "alt=media").body[:7], DATA[:5] + b"\xfa" + DATA[6:7])
        add(action="truncate", bytes=9, honest=True, kind="object.media")
        self.assertEqual(self.get("a", "alt=media").body, DATA[:9])
        add(action="truncate", bytes=9, kind="object.media")
        with self.assertRaises(http.client.IncompleteRead):
            self.get("a", "alt=media")
        add(action="headers", set={"X-Goog-Hash": "crc32c=AAAAAA==", "ETag": None})
        headers = self.get("a", "alt=media").headers
        self.assertEqual(headers.get_all("X-Goog-Hash"), ["crc32c=AAAAAA=="])
        self.assertNotIn("ETag", headers)
        add(action="json", set={"size": "1"})
        self.assertEqual(self.get("a").json()["size"], "1")
        add(action="garbage")
        with self.assertRaises(http.client.BadStatusLine):
            self.get("a")
        add(action="corrupt", offset=1, side="request", kind="upload.media")
        self.call("POST", f"{UPLOAD}media&name=c", b"abc")
        self.assertEqual(self.storage.data("lab", "c"), b"a\x9dc")
        session = self.start_session()
        add(action="expire", code=410, kind="upload.*")
        self.assertEqual([self.ask(session).status, self.ask(session).status], [410, 404])

    def test_server_answers_after_restart(self):
        self.storage.put("lab", "a", b"x")
        self.assertEqual(self.get("a").status, 200)
        self.server.go_down()
        for _ in range(2):
            with self.assertRaises((OSError, http.client.HTTPException)):
                self.get("a")
        self.server.come_back()
        self.assertEqual(self.get("a", "alt=media").body, b"x")

    def test_faults_are_set_by_http(self):
        rule = {"action": "status", "code": 429, "kind": "object.get"}
        self.assertEqual(self.call("POST", "/_faults", json.dumps(rule)).json()[0]["strikes"], 0)
        self.assertEqual(self.get("a").status, 429)
        self.assertEqual(self.call("GET", "/_faults").json()[0]["strikes"], 1)
        self.assertEqual(self.call("DELETE", "/_faults").json(), [])
        self.assertEqual(self.call("POST", "/_faults", b'{"action": "no"}').status, 400)
        kinds = [each["kind"] for each in self.call("GET", "/_requests").json()]
        self.assertEqual(kinds, ["object.get"])

    def test_large_bodies_are_fast(self):
        big = DATA * 64
        self.storage.put("lab", "big", big)
        started = time.process_time()
        answer = self.get("big", "alt=media")
        self.assertLess(time.process_time() - started, 1.0)  # both: over 64 MB/s
        self.assertEqual(len(answer.body), len(big))


if __name__ == "__main__":
    unittest.main()
