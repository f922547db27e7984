"""Tests of the log of a running task (--logEvery): readable early, right at the end, never harmful.
"""
import signal
import time
import unittest

from cloud_lab import BUCKET, CloudLabTest
from gcloud.checksum import crc32c
from harness import SLOWNESS, wait_until

MEGA = 1_000_000
EVERY = ("--localhost", "--logEvery", "1")
LOG = "a.1/stdout.txt"


class LiveLogTest(CloudLabTest):
    def stored_log(self, name=LOG):
        return self.cloud.storage.data(BUCKET, name) or b""

    def start(self, command, *flags, **changes):
        """Starts a worker on a task a.1 that runs until `go` has been called."""
        self.gate = self.lab.directory / "gate"
        waits = f"while [ ! -e {self.gate} ]; do sleep 0.05; done"
        self.lab.write_tasks([self.lab.task("a.1", f"{command}; {waits}; echo last", **changes)])
        return self.lab.start_consume(*(flags or EVERY))

    def await_log(self, text):
        wait_until(lambda: text.encode() in self.stored_log(), f"{text} is in the log")

    def finish(self, worker):
        self.gate.touch()
        worker.wait(60)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_complete("a.1")
        self.assertTrue(self.stored_log().endswith(b"last\n"))

    def assert_log_listed(self, name="a.1"):
        """Checks what result.json says of the log."""
        found = self.cloud.storage.find(BUCKET, f"{name}/stdout.txt")
        listed = [file for file in self.lab.result(name)["files"] if file["src"] == "stdout.txt"]
        self.assertEqual([(file["size"], file["crc32c"], file["generation"]) for file in listed],
                         [(len(found.data), crc32c(found.data), found.generation)])
        self.assertEqual(found.metadata["contentType"], "text/plain; charset=utf-8")
        return found

    def sent(self):
        """Bytes of all bodies of requests for the log."""
        return sum(request.body_bytes for request in self.cloud.requests()
                   if "stdout.txt" in request.target)


class Readers(LiveLogTest):
    def test_log_is_readable_while_running(self):
        worker = self.start("echo first")
        self.await_log("first\n")
        self.assertEqual(self.lab.states()["a.1"].status, "claimed")
        found = self.cloud.storage.find(BUCKET, LOG)
        self.assertEqual(found.metadata["contentType"], "text/plain; charset=utf-8")
        self.finish(worker)
        self.assert_delivered("a.1")
        self.assert_log_listed()

    def test_short_task_costs_no_request(self):
        self.lab.write_tasks([self.lab.task("a.1", "echo hello")])
        worker = self.lab.consume("--localhost")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        kinds = [request.kind for request in self.cloud.requests()
                 if "stdout.txt" in request.target]
        self.assertEqual(kinds, ["upload.start", "upload.cancel", "upload.multipart"])

    def test_killed_worker_leaves_log(self):
        worker = self.start("echo attempt $SPARKLES_ATTEMPT")
        self.await_log("attempt 1\n")
        worker.signal(signal.SIGKILL)
        worker.wait(10)
        self.await_log("attempt 1\n")
        second = self.lab.start_consume(*EVERY)
        self.await_log("attempt 2\n")
        self.assertNotIn(b"attempt 1", self.stored_log())
        self.finish(second)
        self.assert_delivered("a.1")

    def test_zero_sends_nothing(self):
        worker = self.start("echo first", "--localhost", "--logEvery", "0")
        self.wait_for_status("a.1", "claimed")
        time.sleep(2.5)
        self.assertEqual(self.stored_log(), b"")
        self.finish(worker)


class LongLogs(LiveLogTest):
    def test_long_log_is_composed(self):
        step = f"head -c {4 * MEGA} /dev/urandom > piece; cat piece; cat piece >> copy; sleep 1.5"
        worker = self.start("; ".join([step] * 5))
        wait_until(lambda: len(self.stored_log()) == 20 * MEGA, "20 MB are there", 40)
        self.finish(worker)
        found = self.assert_log_listed()
        copy = self.cloud.storage.data(BUCKET, "a.1/copy")
        self.assertEqual(bytes(found.data), copy + b"last\n")
        self.assertGreaterEqual(len(self.cloud.requests("object.compose")), 3)
        self.assertGreater(found.components, 2)
        self.assertLess(self.sent(), 1.1 * len(found.data))
        self.assertNotIn("stdout.txt.sparkles-part", self.lab.stored("a.1"))

    def test_truncated_log_is_right_at_end(self):
        worker = self.start(f"head -c {6 * MEGA} /dev/zero; sleep 1.5; : > /proc/self/fd/1; "
                            f"head -c {5 * MEGA} /dev/urandom | tee copy; sleep 2.5")
        wait_until(lambda: len(self.stored_log()) == 6 * MEGA, "the first part is there")
        self.finish(worker)
        found = self.assert_log_listed()
        copy = self.cloud.storage.data(BUCKET, "a.1/copy")
        self.assertEqual(bytes(found.data), copy + b"last\n")

    def test_lost_compose_answers_are_found(self):
        for number, how in enumerate(({"action": "cut", "apply": True},
                                      {"action": "status", "code": 503, "apply": True},
                                      {"action": "truncate", "bytes": 20, "honest": True})):
            self.fault(kind="object.compose", skip=number, **how)
        self.fault(kind="upload.*", path="part", action="cut", apply=True)
        worker = self.start("for i in 1 2 3 4; do head -c 5000000 /dev/zero; sleep 2; done")
        wait_until(lambda: len(self.stored_log()) == 20 * MEGA, "all is there", 60)
        self.finish(worker)
        found = self.assert_log_listed()
        self.assertEqual(len(found.data), 20 * MEGA + 5)
        self.assertGreater(found.components, 2)

    def test_refused_compose_leads_to_upload(self):
        self.fault(kind="object.compose", action="status", code=400, count=0)
        worker = self.start("for i in 1 2 3; do head -c 5000000 /dev/zero; sleep 1.2; done")
        wait_until(lambda: "the log of the running task cannot be sent" in worker.stderr, "told")
        self.finish(worker)
        found = self.assert_log_listed()
        self.assertEqual((len(found.data), found.components), (15 * MEGA + 5, 0))
        self.assertEqual(worker.stderr.count("the log of the running task cannot be sent"), 1)

    def test_output_named_like_part_is_kept(self):
        worker = self.start("echo output > stdout.txt.sparkles-part; head -c 5000000 /dev/zero")
        wait_until(lambda: len(self.stored_log()) == 5 * MEGA, "the log is there")
        self.finish(worker)
        self.assert_log_listed()
        self.assertEqual(self.lab.stored("a.1")["stdout.txt.sparkles-part"], b"output\n")


class Refusals(LiveLogTest):
    def assert_left_until_end(self, *names):
        self.lab.write_tasks([self.lab.task(name, "echo first; sleep 2.5; echo last")
                              for name in names])
        worker = self.lab.consume(*EVERY)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        for name in names:
            self.assert_complete(name)
            self.assertEqual(self.lab.log(name), "first\nlast\n")
            self.assert_log_listed(name)
        self.assertEqual(worker.stderr.count("cannot replace objects there"), 1, worker.stderr)
        parts = [name for name in self.cloud.storage.objects(BUCKET)
                 if name.endswith(".sparkles-part")]
        self.assertEqual(len(parts), 1, parts)

    def test_retention_bucket_is_told_once(self):
        self.cloud.storage.new_kept[BUCKET] = {"retentionExpirationTime": "2099-01-01T00:00:00Z"}
        self.assert_left_until_end("a.1", "a.2")

    def test_account_without_delete_is_told_once(self):
        self.cloud.storage.denied.add("storage.objects.delete")
        self.assert_left_until_end("a.1", "a.2")


class Hangs(LiveLogTest):
    def hang(self, worker):
        self.await_log("first\n")
        rule = self.fault(kind="upload.multipart", path="stdout.txt", action="stall", seconds=60)
        (self.lab.directory / "more").touch()
        wait_until(lambda: rule.strikes, "a send hangs")
        return time.monotonic()

    def start_talker(self):
        more = self.lab.directory / "more"
        return self.start(f"echo first; while [ ! -e {more} ]; do sleep 0.05; done; echo second")

    def test_hung_send_delays_no_end(self):
        worker = self.start_talker()
        started = self.hang(worker)
        self.finish(worker)
        self.assertLess(time.monotonic() - started, 10 * SLOWNESS)

    def test_hung_send_delays_no_stop(self):
        worker = self.start_talker()
        started = self.hang(worker)
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(30).exit_code, 143, worker.stderr)
        self.assertLess(time.monotonic() - started, 10 * SLOWNESS)
        self.assertEqual(self.lab.states()["a.1"].status, "pending")
        self.assertIn(b"second\n", self.stored_log())

    def test_frozen_worker_replaces_nothing(self):
        worker = self.start("echo attempt $SPARKLES_ATTEMPT")
        self.await_log("attempt 1\n")
        worker.signal(signal.SIGSTOP)
        self.addCleanup(worker.signal, signal.SIGKILL)
        self.lab.reset_task("a.1")
        self.gate.touch()
        second = self.lab.consume(*EVERY)
        self.assertEqual(second.exit_code, 0, second.stderr)
        self.assert_complete("a.1")
        before = self.cloud.storage.find(BUCKET, LOG).generation
        worker.signal(signal.SIGCONT)
        wait_until(lambda: "dropped" in worker.stderr, "the worker notices the lost claim")
        worker.wait(60)
        self.assertEqual(self.cloud.storage.find(BUCKET, LOG).generation, before)
        self.assertIn(b"attempt 2\nlast\n", self.stored_log())


if __name__ == "__main__":
    unittest.main()
