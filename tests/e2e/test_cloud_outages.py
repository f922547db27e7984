"""Tests of outages of services and of bad input: the worker survives and loses no task."""
import json
import random
import signal
import time
import unittest

from cloud_lab import BUCKET, CloudLab, CloudLabTest, value
from gcloud.emulator import Emulator, why_not
from harness import SLOWNESS, wait_until


class DatastoreOutage(CloudLabTest):
    """Stops and starts an emulator of its own."""

    def setUp(self):
        if why_not():
            self.skipTest(why_not())
        self.lab = CloudLab(datastore="127.0.0.1:0")
        self.addCleanup(self.lab.close)
        self.cloud = self.lab.cloud
        self.emulator = Emulator(self.lab.directory, keep=True)
        self.addCleanup(self.emulator.stop)
        self.lab.datastore.address = self.cloud.datastore.address = self.emulator.address
        # Workers connect to the emulator directly, because the test includes refused connections.
        self.direct = {"DATASTORE_EMULATOR_HOST": self.emulator.address}

    def test_datastore_restart_loses_no_task(self):
        gate = self.lab.directory / "gate"
        names = [f"a.{number}" for number in range(1, 13)]
        self.lab.write_tasks([
            self.lab.task(name, f"while [ ! -e {gate} ]; do sleep 0.05; done; echo done")
            for name in names])
        workers = [self.lab.start_consume("--localhost", environment=self.direct)
                   for _ in range(2)]
        wait_until(lambda: sum(state.status == "claimed"
                               for state in self.lab.states().values()) == 2, "two tasks run")
        self.emulator.stop()
        gate.touch()  # Datastore cannot record the ends of the tasks now
        wait_until(lambda: all(self.lab.stored(name) for name in self.claimed(workers)),
                   "results are delivered")
        time.sleep(2)
        self.emulator.start()
        for worker in workers:
            self.assertEqual(worker.wait(60).exit_code, 0, worker.stderr)
        self.assert_once(names)

    @staticmethod
    def claimed(workers):
        """The tasks that the workers have claimed, according to their logs."""
        lines = [line for worker in workers for line in worker.stderr.splitlines()]
        return {word.strip("[]:") for line in lines if "claimed" in line
                for word in line.split() if word.strip("[]:").startswith("a.")}

    def test_datastore_may_be_away_at_start(self):
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        self.emulator.stop()
        worker = self.lab.start_consume("--localhost", environment=self.direct)
        wait_until(lambda: "WARNING" in worker.stderr, "the worker logs a warning")
        self.emulator.start()
        self.assertEqual(worker.wait(60).exit_code, 0, worker.stderr)
        self.assert_complete("a.1")


class DatastoreFaults(CloudLabTest):
    """Single requests fail in each way at each step of a task."""

    def test_each_fault_of_each_request_is_survived(self):  # D18, D19, D20
        chance = random.Random(7)
        faults = [{"action": "status", "code": 503}, {"action": "cut"},
                  {"action": "status", "code": 500}, {"action": "cut", "apply": True},
                  {"action": "status", "code": 504, "apply": True},
                  {"action": "status", "code": 409, "body": {"error": {
                      "code": 409, "status": "ABORTED", "message": "too much contention"}}},
                  {"action": "truncate", "bytes": 5, "honest": True},
                  {"action": "status", "code": 429, "retry_after": 1},
                  {"action": "cut", "apply": True, "how": "fin"},
                  {"action": "cut", "response_bytes": 3}]
        names = [f"a.{number}" for number in range(1, 2 * len(faults) + 1)]
        self.lab.write_tasks([self.lab.task(name, "true") for name in names])
        for kind in ("runQuery", "lookup", "commit"):
            order = faults * 2
            chance.shuffle(order)
            for number, rule in enumerate(order):
                # No two faults in a row: a rule does not count the requests of earlier rules.
                self.fault(kind=f"datastore.{kind}", skip=number + 1, **rule)
        worker = self.lab.consume("--localhost", "--shutdownAfter", "6", seconds=110)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        # A commit that was applied without an answer must not be applied again.
        self.assert_once(names, worker)

    def test_ambiguous_commits_are_not_repeated(self):
        names = [f"a.{number}" for number in range(1, 11)]
        self.lab.write_tasks([self.lab.task(name, "true") for name in names])
        for number in range(10):
            self.fault(kind="datastore.commit", skip=number, action="cut", apply=True)
        worker = self.lab.consume("--localhost", "--shutdownAfter", "4", seconds=100)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_once(names)

    def test_slow_answers_get_longer_timeout(self):
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        # The worker waits 4 s for the first request of each kind, and 8 s for the second.
        for kind, count in (("runQuery", 2), ("lookup", 0), ("commit", 2)):
            self.fault(kind=f"datastore.{kind}", action="stall", seconds=4.5, count=count)
        worker = self.lab.consume("--localhost", seconds=60)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_once(["a.1"])

    def test_stop_hands_back_to_slow_datastore(self):
        self.lab.write_tasks([self.lab.task("a.1", "sleep 100")])
        self.fault(kind="datastore.lookup", action="stall", seconds=4.3, count=0)
        worker = self.lab.start_consume("--localhost")
        self.wait_for_status("a.1", "claimed")
        self.fault(kind="datastore.commit", action="stall", seconds=4.3, count=0)
        stopped = time.monotonic()
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(30).exit_code, 143, worker.stderr)
        self.assertLess(time.monotonic() - stopped, 20 * SLOWNESS)
        self.assertEqual(self.lab.states()["a.1"].status, "pending")

    def test_missing_permission_is_retried(self):
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        denied = {"error": {"code": 403, "status": "PERMISSION_DENIED",
                            "message": "Missing or insufficient permissions."}}
        self.fault(kind="datastore.*", action="status", code=403, body=denied, count=2)
        worker = self.lab.consume("--localhost", "--shutdownAfter", "5")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertIn("insufficient permissions", worker.stderr)
        self.assert_complete("a.1")


class StorageOutage(CloudLabTest):
    def test_short_storage_outage_is_survived(self):
        url = self.lab.put("in", b"x" * 100_000)
        names = [f"a.{number}" for number in range(1, 21)]
        self.lab.write_tasks([self.lab.task(name, "cp in out", downloads=[
            self.lab.download(url, "in")]) for name in names])
        # Only Cloud Storage fails, because the worker connects to Datastore directly.
        worker = self.lab.start_consume("--localhost", environment={
            "DATASTORE_EMULATOR_HOST": self.lab.emulator_address})
        wait_until(lambda: len(self.cloud.requests("upload.multipart")) > 5, "uploads arrive")
        self.cloud.go_down(4)
        self.assertEqual(worker.wait(90).exit_code, 0, worker.stderr)
        self.assert_once(names)
        for name in names:
            self.assert_delivered(name)

    def test_refused_upload_fails_only_that_task(self):
        denied = {"error": {"code": 403, "message": "worker@lab does not have storage.objects."
                            "create access to the Google Cloud Storage object."}}
        self.fault(kind="upload.*", path="/secret/", action="status", code=403, body=denied,
                   count=0)
        self.cloud.storage.make_bucket("secret")
        self.lab.write_tasks([self.lab.task("a.1", "echo x > f", uploads={
            "include_patterns": ["**"], "exclude_patterns": [], "dst_url": "gs://secret/out"}),
                              self.lab.task("b.1", "true")])
        started = time.monotonic()
        self.assertEqual(self.lab.consume("--localhost").exit_code, 0)
        self.assertLess(time.monotonic() - started, 20 * SLOWNESS)
        self.assert_failed("a.1", "gs://secret/out", "storage.objects.create")
        self.assertIn("storage.objects.create", self.lab.result("a.1")["failure_reason"])
        self.assert_complete("b.1")

    def test_missing_bucket_fails_only_that_task(self):
        spec = self.lab.spec("a.1", "true", stdout_url="gs://no-such-bucket/o",
                             command_result_url="gs://no-such-bucket/r")
        self.lab.write_tasks([self.lab.entity("a.1", spec), self.lab.task("b.1", "true")])
        self.assertEqual(self.lab.consume("--localhost").exit_code, 0)
        self.assert_failed("a.1", "no-such-bucket")
        self.assert_complete("b.1")


class BadInput(CloudLabTest):
    def test_invalid_args_fail_only_their_task(self):
        self.fault(kind="object.media", path="args%2Flong", action="headers", count=0,
                   set={"X-Goog-Stored-Content-Length": str(300 << 20)})
        cases = {
            "missing.1": (f"gs://{BUCKET}/nothing/there", "nothing/there"),
            "bucket.1": ("gs://no-such-bucket/a", "no-such-bucket"),
            "text.1": (self.lab.put("args/text", b"not json"), "args"),
            "list.1": (self.lab.put("args/list", b"[1]"), "args"),
            "empty.1": (self.lab.put("args/empty", b""), "args"),
            "binary.1": (self.lab.put("args/binary", bytes(range(256))), "args"),
            "long.1": (self.lab.put("args/long", b"{}"), "longer than"),
            "folder.1": (f"gs://{BUCKET}/args/", "args/"),
            "scheme.1": ("s3://bucket/key", "args"),
            "nonsense.1": ("what is this", "args"),
            "nothing.1": ("", "args"),
        }
        self.lab.write_tasks([*(self.lab.entity(name, args) for name, (args, _) in cases.items()),
                              self.lab.task("good.1", "true")])
        worker = self.lab.consume("--localhost")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        for name, (_, word) in cases.items():
            with self.subTest(task=name):
                self.assert_failed(name, word)
                self.assertTrue(self.lab.states()[name].failure_reason)
        self.assert_complete("good.1")

    def test_malformed_entities_complete_or_fail(self):
        spec = self.lab.spec("x", "true")
        wrong = {
            "args-number.1": {"args": 17},
            "args-null.1": {"args": None},
            "args-absent.1": {"args": ...},
            "version-text.1": {"version": "three"},
            "version-absent.1": {"version": ...},
            "version-huge.1": {"version": 2**62},
            "history-text.1": {"history": "yesterday"},
            "history-absent.1": {"history": ...},
            "history-odd.1": {"history": [1, "two", {"status": 3, "timestamp": "noon"}]},
            "owner-number.1": {"owner": 5},
            "job-number.1": {"job_id": 5},
            "index-text.1": {"task_index": "first"},
            "urls-null.1": {"log_url": None, "command_result_url": None},
            "result-number.1": {"exit_code": 0, "failure_reason": 7},
        }
        entities = [self.lab.entity(name, spec, **changes) for name, changes in wrong.items()]
        deep = value("end")
        for _ in range(15):
            deep = {"entityValue": {"properties": {"x": deep}}}
        entities.append(self.lab.entity("deep.1", spec))
        entities[-1]["properties"]["more"] = deep
        for name in ("no-dot", "two.dots.1", "odd name/%?#.1", "ü.1", "x" * 1400 + ".1"):
            entity = self.lab.entity("a.1", spec)
            entity["key"] = self.lab.datastore.key("SparklesV5Task", name)
            entities.append(entity)
        self.lab.write_tasks([*entities, self.lab.task("good.1", "true")])
        worker = self.lab.consume("--localhost", "--shutdownAfter", "3")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_complete("good.1")
        tasks = self.lab.datastore.tasks()
        self.assertEqual(len(tasks), len(entities) + 1)
        for name, entity in tasks.items():
            status = entity["properties"]["status"]["stringValue"]
            with self.subTest(task=name[:40]):
                self.assertIn(status, ("complete", "failed"))
                if status == "failed":
                    self.assertTrue(entity["properties"]["failure_reason"]["stringValue"])
        for name in ("deep.1", "ü.1", "two.dots.1", "owner-number.1", "index-text.1"):
            self.assertEqual(tasks[name]["properties"]["status"]["stringValue"], "complete", name)

    def test_numeric_key_does_not_stop_others(self):
        entity = self.lab.entity("a.1", self.lab.spec("a.1", "true"))
        entity["key"]["path"] = [{"kind": "SparklesV5Task", "id": "12345"}]
        self.lab.datastore.put(entity)
        self.lab.write_tasks([self.lab.task("good.1", "true")])
        worker = self.lab.consume("--localhost", "--shutdownAfter", "2")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        good = self.lab.datastore.get("SparklesV5Task", "good.1")
        self.assertEqual(good["properties"]["status"], value("complete"))


if __name__ == "__main__":
    unittest.main()
