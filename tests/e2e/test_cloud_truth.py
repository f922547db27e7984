"""Tests of answers from proxies and of frozen workers: no result is lost or wrong."""
import signal
import time
import unittest

from cloud_lab import CloudLabTest
from harness import SLOWNESS, LabTest, wait_until

HTML = "<html>not the service</html>"


class ProxyAnswers(CloudLabTest):
    def test_applied_commit_is_recognized(self):
        codes = (520, 499, 307, 400, 403)
        names = [f"a.{code}" for code in codes]
        self.lab.write_tasks([self.lab.task(name, "true") for name in names])
        for number, code in enumerate(codes):
            self.fault(kind="datastore.commit", skip=number, action="status", code=code, body=HTML,
                       apply=True)
        worker = self.lab.consume("--localhost", "--shutdownAfter", "4", seconds=100)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_once(names, worker)

    def test_refused_lookup_repeats_no_task(self):
        self.lab.write_tasks([self.lab.task(name, "true") for name in ("a.1", "a.2")])
        self.fault(kind="datastore.commit", action="cut", apply=True)
        self.fault(kind="datastore.lookup", skip=1, action="status", code=400, body=HTML)
        worker = self.lab.consume("--localhost", "--shutdownAfter", "4", seconds=60)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_once(["a.1", "a.2"], worker)

    def test_proxy_refusals_are_retried(self):
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        self.fault(kind="datastore.lookup", action="status", code=400, body=HTML, count=3)
        worker = self.lab.consume("--localhost", "--shutdownAfter", "4", seconds=60)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_once(["a.1"], worker)

    def test_upload_survives_proxy_answers(self):
        codes = (302, 400, 403, 404, 412, 499, 507, 520)
        self.lab.write_tasks([self.lab.task(f"a.{code}", "echo hi > out") for code in codes])
        for code in codes:
            self.fault(kind="upload.*", path=f"a.{code}", action="status", code=code, body=HTML)
        worker = self.lab.consume("--localhost", "--shutdownAfter", "4", seconds=60)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_once([f"a.{code}" for code in codes], worker)


class Stops(CloudLabTest):
    def test_stop_ends_without_commit_answers(self):
        self.lab.write_tasks([self.lab.task("a.1", "exec sleep 600")])
        worker = self.lab.start_consume("--localhost")
        self.wait_for_status("a.1", "claimed")
        self.fault(kind="datastore.commit", action="stall", seconds=60, count=0)
        started = time.monotonic()
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(40).exit_code, 143, worker.stderr)
        # The worker ends 19 s after the signal at the latest; the stall lasts a minute.
        self.assertLess(time.monotonic() - started, 25 * SLOWNESS)

    def test_stop_ends_without_metadata_server(self):
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        self.fault(kind="metadata.*", action="stall", seconds=60, count=0)
        worker = self.lab.start_consume()
        wait_until(lambda: self.cloud.requests(), "the request arrives")
        started = time.monotonic()
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(20).exit_code, 143, worker.stderr)
        self.assertLess(time.monotonic() - started, 8 * SLOWNESS)


class FrozenWorker(CloudLabTest):
    def generations(self):
        return {name: found.generation
                for name, found in self.cloud.storage.objects("lab").items()}

    def test_frozen_worker_overwrites_nothing(self):
        go = self.lab.directory / "go"
        self.lab.write_tasks([self.lab.task(
            "a.1", f"echo $$ > out; while [ ! -e {go} ]; do sleep 0.1; done")])
        frozen = self.lab.start_consume("--localhost")
        wait_until(lambda: "running: " in frozen.stderr, "the worker has the claim")
        frozen.signal(signal.SIGSTOP)
        self.addCleanup(frozen.signal, signal.SIGKILL)
        time.sleep(24)  # before it delivers now, the worker must check its claim again
        self.lab.reset_task("a.1")
        go.touch()
        second = self.lab.consume("--localhost")
        self.assertEqual(second.exit_code, 0, second.stderr)
        delivered = self.generations()
        frozen.signal(signal.SIGCONT)
        wait_until(lambda: "dropped" in frozen.stderr, "the worker notices the lost claim")
        self.assertEqual(frozen.wait(30).exit_code, 0, frozen.stderr)
        self.assertEqual(self.generations(), delivered)
        self.assertEqual(self.lab.states()["a.1"].status, "complete")

    def test_late_upload_overwrites_nothing(self):
        seconds = 20 * SLOWNESS  # the next worker must finish earlier
        stalled = self.fault(kind="upload.*", path="a.1%2Fout|a.1/out", action="stall", count=1,
                             seconds=seconds)
        self.lab.write_tasks([self.lab.task("a.1", "echo $$ > out")])
        frozen = self.lab.start_consume("--localhost")
        wait_until(lambda: stalled.strikes == 1, "the upload starts")
        frozen.signal(signal.SIGSTOP)
        self.addCleanup(frozen.signal, signal.SIGKILL)
        self.lab.reset_task("a.1")
        second = self.lab.consume("--localhost")
        self.assertEqual(second.exit_code, 0, second.stderr)
        delivered = self.generations()
        self.assertNotIn(412, [request.status for request in self.cloud.requests()])
        wait_until(lambda: 412 in [request.status for request in self.cloud.requests()],
                   "the server carries out, and refuses, what it has read", 2 * seconds)
        self.assertEqual(self.generations(), delivered)
        frozen.signal(signal.SIGCONT)
        wait_until(lambda: "dropped" in frozen.stderr, "the worker notices the lost claim")
        self.assertEqual(frozen.wait(30).exit_code, 0, frozen.stderr)
        self.assertEqual(self.generations(), delivered)
        self.assertEqual(self.lab.states()["a.1"].status, "complete")


class Credentials(LabTest):
    def test_broken_credentials_fail_no_task(self):  # D31
        names = [f"a.{number}" for number in range(1, 9)]
        self.lab.write_tasks([self.lab.task(name, "true", downloads=[
            self.lab.download("gs://lab/in", "in")]) for name in names])
        worker = self.lab.consume(environment={
            "GOOGLE_APPLICATION_CREDENTIALS": "/nonexistent.json"})
        self.assertEqual(worker.exit_code, 5, worker.stderr)
        self.assertIn("/nonexistent.json", worker.stderr)
        self.assertEqual({state.status for state in self.lab.states().values()}, {"pending"})


if __name__ == "__main__":
    unittest.main()
