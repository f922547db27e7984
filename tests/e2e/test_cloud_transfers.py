"""Tests of each kind of transfer with each fault: correct bytes, or a failure of that task only.

One worker gets all faults of one kind of transfer. Each fault has its own task, and the names of
its objects contain the name of the fault. The worker must survive a fault that passes, and must
name a fault that stays.
"""
import hashlib
import random
import time
import unittest

import harness
from cloud_lab import BUCKET, CloudLabTest

MIB = 1 << 20
GRANULE = 256 * 1024
SMALL = random.Random(1).randbytes(200_000)
LARGE = random.Random(2).randbytes(9 * MIB + 12_345)  # too large for one request
HUGE = random.Random(3).randbytes(72 * MIB + 4_321)  # downloaded in slices

RIGHT = "the right bytes"
FAILED = "a failure that names the object"
EITHER = "the right bytes or such a failure"

# name -> (rule, expected result)
PASSING = {
    "s500": ({"action": "status", "code": 500}, RIGHT),
    "s502": ({"action": "status", "code": 502}, RIGHT),
    "s503-twice": ({"action": "status", "code": 503, "count": 2}, RIGHT),
    "s504": ({"action": "status", "code": 504, "body": "<html>Gateway Timeout</html>"}, RIGHT),
    "s408": ({"action": "status", "code": 408}, RIGHT),
    "s429": ({"action": "status", "code": 429, "retry_after": 1}, RIGHT),
    "reset": ({"action": "cut"}, RIGHT),
    "fin": ({"action": "cut", "how": "fin"}, RIGHT),
    "garbage": ({"action": "garbage"}, RIGHT),
    "slow": ({"action": "stall", "seconds": 0.5}, RIGHT),
}
REFUSING = {
    "s403": ({"action": "status", "code": 403, "count": 0}, FAILED),
    "s404": ({"action": "status", "code": 404, "count": 0, "body": {"error": {
        "code": 404, "message": "made to answer 404"}}}, FAILED),
    "s400": ({"action": "status", "code": 400, "count": 0}, FAILED),
}
BROKEN_BODY = {
    "cut-early": ({"action": "cut", "response_bytes": 1}, RIGHT),
    "cut-late": ({"action": "cut", "response_bytes": 150_000}, RIGHT),
    "cut-fin": ({"action": "cut", "response_bytes": 70_000, "how": "fin"}, RIGHT),
    "cut-thrice": ({"action": "cut", "response_bytes": 50_000, "count": 3}, RIGHT),
    "hesitates": ({"action": "stall", "seconds": 0.5, "response_bytes": 90_000}, RIGHT),
    "truncated": ({"action": "truncate", "bytes": 100_000}, RIGHT),
    "truncated-openly": ({"action": "truncate", "bytes": 100_000, "honest": True}, RIGHT),
    "corrupt": ({"action": "corrupt", "offset": 123_456}, RIGHT),
    "wrong-hash": ({"action": "headers", "set": {"X-Goog-Hash": "crc32c=AAAAAA=="}}, RIGHT),
    "hash-garbage": ({"action": "headers", "set": {"X-Goog-Hash": "crc32c=?"}}, EITHER),
    "no-hash": ({"action": "headers", "set": {"X-Goog-Hash": None}}, EITHER),
    "wrong-size": ({"action": "headers", "set": {"X-Goog-Stored-Content-Length": "7"}}, EITHER),
    "no-headers": ({"action": "headers", "set": {
        "X-Goog-Hash": None, "X-Goog-Generation": None, "X-Goog-Stored-Content-Length": None,
        "X-Goog-Stored-Content-Encoding": None}}, EITHER),
    "partial-unasked": ({"action": "status", "code": 206, "body": "bits"}, EITHER),
    "redirected": ({"action": "status", "code": 302, "headers": {"Location": "/"}}, EITHER),
}
AMBIGUOUS = {
    "done-503": ({"action": "status", "code": 503, "apply": True}, RIGHT),
    "done-reset": ({"action": "cut", "apply": True}, RIGHT),
    "done-fin": ({"action": "cut", "apply": True, "how": "fin"}, RIGHT),
    "done-reset-twice": ({"action": "cut", "apply": True, "count": 2}, RIGHT),
    "done-answer-cut": ({"action": "cut", "response_bytes": 10}, RIGHT),
    "done-answer-truncated": ({"action": "truncate", "bytes": 20, "honest": True}, RIGHT),
    "done-answer-garbage": ({"action": "status", "code": 200, "body": "?", "apply": True}, RIGHT),
    "wrong-hash": ({"action": "json", "set": {"crc32c": "AAAAAA=="}}, EITHER),
    "wrong-size": ({"action": "json", "set": {"size": "7"}}, EITHER),
    "corrupted": ({"action": "corrupt", "offset": 1000, "side": "request"}, EITHER),
}


# Answers of an upload session that still executes an earlier request.
BUSY = {"error": {"code": 409, "message": "Concurrent requests received."}}
TOO_FAST = {"error": {"code": 400, "message": "Invalid request."}}


class Matrix(CloudLabTest):
    """`self.cases`: name of a case -> expected result. Its task is NAME.1."""

    def setUp(self):
        super().setUp()
        self.cases = {}
        self.tasks = []

    def add(self, name, rule, expected, task):
        self.cases[name] = expected
        self.tasks.append(task)
        if rule and rule["kind"] == "upload.multipart":
            self.fault(holds=f'out/{name}"', **rule)  # the URL does not have the object's name
        elif rule:
            self.fault(path=f"%2F{name}\\b(?!-)", **rule)

    def run_cases(self, limit):
        started = time.monotonic()
        self.lab.write_tasks(self.tasks)
        worker = self.lab.consume("--localhost", seconds=limit)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        took = time.monotonic() - started
        self.assertLess(took, limit * harness.SLOWNESS)
        states = self.lab.states()
        self.check_leftovers(states)
        return states

    def check_leftovers(self, _states):
        self.assertEqual(self.lab.leftovers(), [])

    def check(self, name, state, content_is_right):
        expected = self.cases[name]
        with self.subTest(fault=name, expected=expected, reason=state.failure_reason):
            ends = {RIGHT: ["complete"], FAILED: ["failed"], EITHER: ["complete", "failed"]}
            self.assertIn(state.status, ends[expected])
            if state.status == "complete":
                self.assertTrue(content_is_right())
            else:
                self.assertIn(name, state.failure_reason)
                self.assertLess(len(state.failure_reason), 1500)


class Downloads(Matrix):
    def add_download(self, name, rule, expected, kind="object.media"):
        self.add(name, rule and {"kind": kind, **rule}, expected, self.lab.task(
            f"{name}.1", "sha256sum < in.bin | cut -c1-64",
            downloads=[self.lab.download(self.lab.url(f"in/{name}"), "in.bin")],
            uploads={"include_patterns": [], "exclude_patterns": [], "dst_url": self.lab.url("x")}))

    def check_downloads(self, data, limit):
        states = self.run_cases(limit)
        wanted = hashlib.sha256(data).hexdigest()
        for name in self.cases:
            self.check(name, states[f"{name}.1"],
                       lambda name=name: wanted in self.lab.log(f"{name}.1").split())

    def test_small_downloads_survive_faults(self):
        for name, (rule, expected) in {**PASSING, **REFUSING, **BROKEN_BODY}.items():
            self.lab.put(f"in/{name}", SMALL)
            self.add_download(name, rule, expected)
        self.check_downloads(SMALL, 90)

    def test_small_download_takes_one_request(self):
        for number in range(20):
            self.lab.put(f"in/fine-{number}", SMALL)
            self.add_download(f"fine-{number}", None, RIGHT)
        self.check_downloads(SMALL, 30)
        kinds = [request.kind for request in self.cloud.requests()
                 if request.kind.startswith("object.")]
        self.assertEqual(kinds, ["object.media"] * 20)

    def test_missing_object_fails_task(self):
        self.add_download("missing", None, FAILED)
        self.add("no-bucket", None, FAILED, self.lab.task("no-bucket.1", "true", downloads=[
            self.lab.download("gs://no-bucket-here/no-bucket", "in.bin")]))
        self.check_downloads(b"", 20)

    def test_replaced_object_is_read_whole(self):
        # The generation is pinned: a download has the content of one version.
        new = LARGE[::-1]
        self.lab.put("in/replaced", LARGE)
        self.lab.put("in/new", new)
        self.add_download("replaced", {"action": "cut", "seconds": 3, "response_bytes": MIB}, RIGHT)
        self.lab.write_tasks(self.tasks)
        worker = self.lab.start_consume("--localhost")
        harness.wait_until(lambda: self.cloud.requests("object.media"), "a download begins")
        self.lab.storage.copy(BUCKET, "in/new", "in/replaced")
        worker.wait(60)
        self.check("replaced", self.lab.states()["replaced.1"],
                   lambda: hashlib.sha256(new).hexdigest() in self.lab.log("replaced.1").split())
        self.assertEqual(self.lab.leftovers(), [])

    def test_large_download_is_resumed(self):
        self.lab.put("in/resumed", LARGE)
        self.add_download("resumed", {"action": "cut", "response_bytes": 4 * MIB, "count": 2},
                          RIGHT)
        self.check_downloads(LARGE, 30)
        first, *later = self.cloud.requests("object.media")
        for request in later:
            self.assertRegex(request.headers["range"], r"^bytes=[1-9]\d*-")
            self.assertIn("generation", request.query)
        self.assertNotIn("generation", first.query)
        self.assertEqual(len(later), 2)

    def test_sliced_downloads_survive_faults(self):
        self.lab.put("in/plain", HUGE)
        middle = 20 * MIB
        cases = {
            "plain": (None, RIGHT),
            "s503": ({"action": "status", "code": 503, "skip": 2, "count": 2}, RIGHT),
            "reset": ({"action": "cut", "skip": 1, "response_bytes": 3 * MIB, "count": 3}, RIGHT),
            "first-reset": ({"action": "cut", "response_bytes": MIB}, RIGHT),
            "corrupt": ({"action": "corrupt", "skip": 1, "offset": MIB}, RIGHT),
            "truncated": ({"action": "truncate", "skip": 2, "bytes": 5000, "honest": True}, RIGHT),
            "whole-instead": ({"action": "headers", "skip": 1,
                               "set": {"Content-Range": f"bytes 0-{middle}/{middle + 1}"}},
                              EITHER),
            "s403": ({"action": "status", "code": 403, "skip": 1, "count": 0}, FAILED),
        }
        for name, (rule, expected) in cases.items():
            self.lab.storage.copy(BUCKET, "in/plain", f"in/{name}")
            self.add_download(name, rule, expected)
        self.check_downloads(HUGE, 100)
        slices = [request for request in self.cloud.requests("object.media")
                  if "in%2Fplain" in request.target]
        self.assertGreater(len(slices), 3)

    def test_failed_slice_ends_download(self):
        source = self.lab.put("in/huge", HUGE)
        self.fault(kind="object.media", path="in%2Fhuge", action="status", code=403, skip=3)
        self.fault(kind="object.media", path="in%2Fhuge", action="stall", seconds=100,
                   response_bytes=MIB, count=0)
        self.lab.write_tasks([self.lab.task("a.1", "true", downloads=[
            self.lab.download(source, "input.bin")])])
        started = time.monotonic()
        worker = self.lab.consume("--localhost")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_failed("a.1", "gs://lab/in/huge", "403")
        self.assertLess(time.monotonic() - started, 20 * harness.SLOWNESS)

    def test_args_download_survives_faults(self):
        cases = {**PASSING, **REFUSING, **{name: BROKEN_BODY[name] for name in (
            "corrupt", "wrong-hash", "truncated", "truncated-openly")}}
        for name, (rule, expected) in cases.items():
            text = self.lab.entity(f"{name}.1", self.lab.spec(f"{name}.1", "echo was read"))
            args = text["properties"]["args"]["stringValue"].ljust(200_000).encode()
            task = self.lab.entity(f"{name}.1", self.lab.put(f"args/{name}", args))
            self.add(name, {"kind": "object.media", **rule}, expected, task)
        states = self.run_cases(90)
        for name in self.cases:
            self.check(name, states[f"{name}.1"],
                       lambda name=name: "was read" in self.lab.log(f"{name}.1"))


class Uploads(Matrix):
    def add_upload(self, name, rule, expected, data):
        """Adds a task that uploads an object with the name of the fault."""
        source = self.lab.put(f"in/{name}-source", data)
        self.add(name, rule, expected, self.lab.task(
            f"{name}.1", "true", downloads=[self.lab.download(source, "source.bin")],
            **{"post-download-script": f"mv source.bin {name}"},
            uploads={"include_patterns": [name], "exclude_patterns": [],
                     "dst_url": self.lab.url("out")}))

    def check_leftovers(self, states):
        """Outputs stay on disk only for tasks whose outputs could not be delivered."""
        kept = {path.name for path in self.lab.tasks_dir.glob("task-*/work/*")} - {"stdout.txt"}
        lost = {name for name in self.cases if states[f"{name}.1"].status == "failed"}
        self.assertEqual(kept, lost)

    def check_uploads(self, data, limit):
        states = self.run_cases(limit)
        for name in self.cases:
            self.check(name, states[f"{name}.1"],
                       lambda name=name: self.delivered(name) == data)

    def delivered(self, name):
        """The stored content; checks that result.json has its size and generation."""
        found = self.lab.storage.find(BUCKET, f"out/{name}")
        file, = (file for file in self.lab.result(f"{name}.1")["files"] if file["src"] == name)
        self.assertEqual((file["size"], file["generation"]), (len(found.data), found.generation))
        return bytes(found.data)

    def test_small_uploads_survive_faults(self):
        for name, (rule, expected) in {**PASSING, **REFUSING, **AMBIGUOUS}.items():
            self.add_upload(name, {"kind": "upload.multipart", **rule}, expected, SMALL)
        self.check_uploads(SMALL, 100)

    def test_small_upload_takes_one_request(self):
        for number in range(20):
            self.add_upload(f"fine-{number}", None, RIGHT, SMALL)
        self.check_uploads(SMALL, 30)
        kinds = [request.kind for request in self.cloud.requests()
                 if request.kind.startswith(("upload.", "object.get"))]
        # Each task also uploads its log and result.json; the destination is checked once.
        self.assertEqual(kinds, ["upload.start", "upload.cancel"] + ["upload.multipart"] * 60)

    def test_existing_object_is_replaced(self):
        self.lab.put("out/again", b"of an earlier attempt")
        self.add_upload("again", None, RIGHT, SMALL)
        self.check_uploads(SMALL, 20)

    def test_session_start_survives_faults(self):
        cases = {**{name: PASSING[name] for name in ("s503-twice", "s429", "fin", "garbage")},
                 **REFUSING,
                 "no-location": ({"action": "status", "code": 200}, EITHER),
                 "started-503": ({"action": "status", "code": 503, "apply": True}, RIGHT)}
        for name, (rule, expected) in cases.items():
            self.add_upload(name, {"kind": "upload.start", **rule}, expected, LARGE)
        self.check_uploads(LARGE, 60)

    def test_session_put_survives_faults(self):
        cases = {
            **{name: PASSING[name] for name in ("s503-twice", "s429", "reset", "fin", "garbage")},
            **AMBIGUOUS,
            "s403": REFUSING["s403"],
            "busy-409": ({"action": "status", "code": 409, "body": BUSY, "count": 2}, RIGHT),
            "done-409": ({"action": "status", "code": 409, "body": BUSY, "apply": True}, RIGHT),
            "too-fast-400": ({"action": "status", "code": 400, "body": TOO_FAST, "count": 2},
                             RIGHT),
            "refused-400": ({"action": "status", "code": 400, "body": TOO_FAST, "count": 0},
                            FAILED),
            "deferred": ({"action": "defer"}, RIGHT),
            "cut-early": ({"action": "cut", "request_bytes": 1}, RIGHT),
            "cut-late": ({"action": "cut", "request_bytes": 9 * MIB}, RIGHT),
            "cut-again": ({"action": "cut", "request_bytes": 3 * MIB, "count": 2}, RIGHT),
            "hesitates": ({"action": "stall", "seconds": 1, "request_bytes": 5 * MIB}, RIGHT),
            "keeps-half": ({"action": "persist", "bytes": 4 * MIB}, RIGHT),
            "keeps-nothing": ({"action": "persist", "bytes": 0}, RIGHT),
            "keeps-granules": ({"action": "persist", "bytes": 3 * MIB, "count": 2}, RIGHT),
            "expired-404": ({"action": "expire", "code": 404}, RIGHT),
            "expired-410": ({"action": "expire", "code": 410}, RIGHT),
            "expired-499": ({"action": "expire", "code": 499}, RIGHT),
        }
        for name, (rule, expected) in cases.items():
            self.add_upload(name, {"kind": "upload.put", **rule}, expected, LARGE)
        self.check_uploads(LARGE, 200)

    def test_session_status_survives_faults(self):
        cases = {
            "s503": ({"action": "status", "code": 503, "count": 2}, RIGHT),
            "s408": ({"action": "status", "code": 408}, RIGHT),
            "reset": ({"action": "cut"}, RIGHT),
            "busy-409": ({"action": "status", "code": 409, "body": BUSY, "count": 3}, RIGHT),
            "too-fast-400": ({"action": "status", "code": 400, "body": TOO_FAST, "count": 3},
                             RIGHT),
            "expired-404": ({"action": "expire", "code": 404}, RIGHT),
            "expired-410": ({"action": "expire", "code": 410}, RIGHT),
            "forgot-all": ({"action": "headers", "set": {"Range": None}}, EITHER),
            "more-than-sent": ({"action": "headers", "set": {"Range": "bytes=0-99999999"}}, EITHER),
            "no-range": ({"action": "headers", "set": {"Range": "nonsense"}}, EITHER),
        }
        for name, (rule, expected) in cases.items():
            self.add_upload(name, {"kind": "upload.status", **rule}, expected, LARGE)
            self.fault(action="cut", kind="upload.put", path=f"name=out%2F{name}&",
                       request_bytes=4 * MIB)
        self.check_uploads(LARGE, 120)

    def test_deferred_object_is_not_sent_again(self):
        for name in ("deferred", "still-deferred"):
            self.add_upload(name, {"kind": "upload.put", "action": "defer"}, RIGHT, LARGE)
        self.fault(kind="upload.status", path="name=out%2Fstill-deferred&", action="defer", count=2)
        self.check_uploads(LARGE, 60)
        for kind in ("upload.start", "upload.put"):
            sent = [each for each in self.cloud.requests(kind) if "name=out" in each.target]
            self.assertEqual(len(sent), 2, kind)  # without the probe of the log's destination


class PersistentFaults(CloudLabTest):
    """A network fault that strikes every request to Cloud Storage is a machine fault."""

    def assert_handed_back(self, name):
        worker = self.lab.consume("--localhost", seconds=120)
        self.assertEqual(worker.exit_code, 5, worker.stderr)
        state = self.lab.states()["a.1"]
        self.assertEqual((state.status, state.owner), ("pending", None))
        self.assertEqual([entry["status"] for entry in state.history],
                         ["pending"] + 5 * ["claimed", "reset"])
        self.assertIn(name, state.history[-1]["failure_reason"])

    def test_corrupt_input_hands_back(self):
        source = self.lab.put("in/spoilt", SMALL)
        self.fault(kind="object.media", path="in%2Fspoilt", action="corrupt", offset=123_456,
                   count=0)
        self.lab.write_tasks([self.lab.task("a.1", "true", downloads=[
            self.lab.download(source, "in")])])
        self.assert_handed_back("gs://lab/in/spoilt")

    def test_undeliverable_output_hands_back(self):
        self.fault(kind="upload.put", path="name=out%2Fspoilt&", action="expire", code=410, count=0)
        self.lab.write_tasks([self.lab.task(
            "a.1", f"head -c {len(LARGE)} /dev/zero > spoilt", uploads={
                "include_patterns": ["spoilt"], "exclude_patterns": [],
                "dst_url": self.lab.url("out")})])
        self.assert_handed_back("gs://lab/out/spoilt")


if __name__ == "__main__":
    unittest.main()
