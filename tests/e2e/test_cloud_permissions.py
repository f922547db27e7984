"""Tests of permissions that are late or missing: waits, failures and messages."""
import copy
import signal
import time
import unittest

from cloud_lab import BUCKET, CloudLabTest
from harness import SLOWNESS, wait_until

DENIED = {"error": {"code": 403, "message": "worker@lab does not have storage.objects.create access"
                    " to the Google Cloud Storage object."}}


class Grants(CloudLabTest):
    def refuse(self, **rule):
        return self.fault(action="status", code=403, body=DENIED, **rule)

    def test_late_role_is_awaited(self):
        source = self.lab.put("in", b"text")
        reads = self.refuse(kind="object.media", count=3)
        writes = self.refuse(kind="upload.*", count=3)
        self.lab.write_tasks([self.lab.task("a.1", "cp in out", downloads=[
            self.lab.download(source, "in")])])
        worker = self.lab.consume("--localhost", "--permissionPatience", "60")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_complete("a.1")
        self.assertEqual((reads.strikes, writes.strikes), (3, 3))
        for word in ("cannot read from gs://lab", "cannot write to gs://lab",
                     "roles/storage.objectUser", "--permissionPatience"):
            self.assertIn(word, worker.stderr)

    def test_five_refused_tasks_end_worker(self):
        self.refuse(kind="upload.*", count=0)
        self.lab.write_tasks([self.lab.task(f"a.{number}", "true") for number in range(1, 9)])
        worker = self.lab.consume("--localhost")
        self.assertEqual(worker.exit_code, 5, worker.stderr)
        self.assertIn("may not write to gs://lab", worker.stderr)
        states = [state.status for state in self.lab.states().values()]
        self.assertEqual((states.count("failed"), states.count("pending")), (5, 3))

    def test_stop_ends_wait_for_permission(self):
        self.refuse(kind="upload.*", count=0)
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        worker = self.lab.start_consume("--localhost", "--permissionPatience", "600")
        wait_until(lambda: "cannot write to gs://lab" in worker.stderr, "the worker waits")
        started = time.monotonic()
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(30).exit_code, 143, worker.stderr)
        self.assertLess(time.monotonic() - started, 10 * SLOWNESS)
        self.assertEqual(self.lab.states()["a.1"].status, "pending")


class Destinations(CloudLabTest):
    def test_refused_destination_fails_early(self):
        self.cloud.storage.denied.add("storage.objects.create")
        ran = self.lab.directory / "ran"
        self.lab.write_tasks([self.lab.task("a.1", f"touch {ran}")])
        worker = self.lab.consume("--localhost")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_failed("a.1", "gs://lab/a.1/stdout.txt", "worker@lab",
                           "roles/storage.objectUser", "add-iam-policy-binding gs://lab")
        self.assertFalse(ran.exists())

    def test_missing_bucket_fails_early(self):
        ran = self.lab.directory / "ran"
        self.lab.write_tasks([self.lab.task("a.1", f"touch {ran}", uploads={
            "include_patterns": ["**"], "exclude_patterns": [], "dst_url": "gs://nowhere/out"})])
        worker = self.lab.consume("--localhost")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_failed("a.1", "uploads.dst_url", "gs://nowhere/out", "404")
        self.assertFalse(ran.exists())

    def test_other_check_errors_are_ignored(self):
        names = [f"a.{number}" for number in range(1, 4)]
        for code in (500, 429, 400):
            self.fault(kind="upload.start", action="status", code=code, count=1)
        self.lab.write_tasks([self.lab.task(name, "true", stdout_url=f"gs://lab/{name}/l/o/g",
                                            command_result_url=f"gs://lab/{name}/result.json")
                              for name in names])
        worker = self.lab.consume("--localhost")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertEqual([state.status for state in self.lab.states().values()], ["complete"] * 3)

    def test_destination_is_checked_once(self):
        self.lab.write_tasks([self.lab.task(f"a.{number}", "true") for number in range(1, 11)])
        self.assertEqual(self.lab.consume("--localhost").exit_code, 0)
        asked = self.cloud.requests("upload.start")
        ended = self.cloud.requests("upload.cancel")
        self.assertEqual((len(asked), len(ended)), (1, 1))
        self.assertEqual(ended[0].status, 499)

    def test_held_result_object_fails_early(self):
        ran = self.lab.directory / "ran"
        self.lab.put("a.1/result.json", b"{}")
        self.storage_of("a.1/result.json").kept = {"temporaryHold": True}
        self.attempt_again("a.1", f"touch {ran}")
        worker = self.lab.consume("--localhost")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_failed("a.1", "a.1/result.json", "temporaryHold")
        self.assertFalse(ran.exists())

    def storage_of(self, path):
        return self.cloud.storage.find(BUCKET, path)

    def attempt_again(self, name, command):
        """A task that was claimed and handed back before."""
        task = self.lab.entity(name, self.lab.spec(name, command))
        history = task["properties"]["history"]["arrayValue"]["values"]
        for status in ("claimed", "reset"):
            history.append(copy.deepcopy(history[0]))
            history[-1]["entityValue"]["properties"]["status"] = {"stringValue": status}
        self.lab.write_tasks([task])


class CreateOnly(CloudLabTest):
    """An account that may create objects, but not read, replace or delete them."""

    def setUp(self):
        super().setUp()
        self.cloud.storage.denied.update(("storage.objects.get", "storage.objects.delete"))

    def attempt(self):
        self.lab.write_tasks([self.lab.task("a.1", "echo new > f")])
        worker = self.lab.consume("--localhost")
        self.assertEqual(worker.exit_code, 0, worker.stderr)

    def test_old_log_does_not_fail_task(self):
        self.lab.put("a.1/stdout.txt", b"of the first attempt")
        self.attempt()
        self.assert_complete("a.1")
        result = self.lab.result("a.1")
        self.assertEqual([file["src"] for file in result["files"]], ["f"])
        self.assertEqual([each["src"] for each in result["skipped"]], ["stdout.txt"])
        self.assertIn("storage.objects.get", result["skipped"][0]["reason"])

    def test_refused_log_does_not_fail_task(self):
        # The server may check the permission before the precondition.
        refused = self.fault(kind="upload.*", path="stdout.txt", action="status", code=403, count=0,
                             body={"error": {"code": 403, "message": "worker@lab does not have "
                                             "storage.objects.delete access to the object."}})
        self.lab.put("a.1/stdout.txt", b"of the first attempt")
        self.attempt()
        self.assert_complete("a.1")
        self.assertIn("storage.objects.delete", self.lab.result("a.1")["skipped"][0]["reason"])
        self.assertGreater(refused.strikes, 1)  # the probe was refused, too

    def test_old_result_fails_after_delivery(self):
        self.lab.put("a.1/result.json", b"of the first attempt")
        self.attempt()
        self.assert_failed("a.1", "result.json", "storage.objects.get", "add-iam-policy-binding")
        self.assertEqual(self.lab.stored("a.1")["f"], b"new\n")
        self.assertIn("stdout.txt", self.lab.stored("a.1"))

    def test_readable_old_log_stays(self):
        self.cloud.storage.denied.remove("storage.objects.get")
        self.lab.put("a.1/stdout.txt", b"of the first attempt")
        self.attempt()
        self.assert_complete("a.1")
        self.assertIn("storage.objects.delete", self.lab.result("a.1")["skipped"][0]["reason"])


class RequesterPays(CloudLabTest):
    def run_task(self, **environment):
        self.cloud.storage.make_bucket("paid")
        self.cloud.storage.put("paid", "in", b"text")
        self.cloud.storage.requester_pays.add("paid")
        self.lab.write_tasks([self.lab.task("a.1", "cp in out", downloads=[
            self.lab.download("gs://paid/in", "in")], uploads={
                "include_patterns": ["out"], "exclude_patterns": [], "dst_url": "gs://paid/o"})])
        worker = self.lab.consume("--localhost", environment=environment)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_complete("a.1")
        self.assertEqual(self.cloud.storage.data("paid", "o/out"), b"text")
        named = [request.query.get("userProject") for request in self.cloud.requests()
                 if "/paid/" in request.target and "upload_id" not in request.query]
        self.assertEqual(named[0], None)  # the first request names no project
        for request in self.cloud.requests():
            if "/paid/" not in request.target:
                self.assertNotIn("userProject", request.target)
                self.assertNotIn("x-goog-user-project", request.headers)
        return set(named[1:])

    def test_worker_project_pays(self):
        self.assertEqual(self.run_task(), {self.lab.datastore.project})

    def test_quota_project_pays_before_worker_project(self):
        self.assertEqual(self.run_task(GOOGLE_CLOUD_QUOTA_PROJECT="payer-1"), {"payer-1"})


class RequesterPaysByTls(RequesterPays):
    """With tokens, because a quota project is sent only with tokens."""

    real_hosts = True


if __name__ == "__main__":
    unittest.main()
