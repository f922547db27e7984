"""Tests checkpoints in Cloud Storage: preemption, kill -9, lost claims, refusals, requests."""
import json
import signal
import unittest

from cloud_lab import CloudLabTest
from harness import wait_until
from test_checkpoints import COUNTER

MANIFEST = "manifest.json"


class Checkpoints(CloudLabTest):
    def write_counter(self, steps, variables=""):
        program = self.lab.directory / "counter.py"
        program.write_text(COUNTER)
        self.lab.write_tasks([self.lab.task(
            "count.1", f"{variables} exec /usr/bin/python3 {program} {steps}")])

    def start(self, *flags):
        return self.lab.start_consume("--checkpointEvery", "1", *flags)

    def data(self, path):
        return self.cloud.storage.data("lab", f"count.1/{path}")

    def log(self):
        return self.data("stdout.txt").decode()

    def number_after(self, words):
        return int(self.log().rpartition(words)[2].split()[0])

    def saved(self):
        """The names of the objects of the checkpoint."""
        return [name for name in self.cloud.storage.objects("lab", "count.1/sparkles-checkpoint/")]

    def wait_for_manifest(self):
        wait_until(lambda: self.data(f"sparkles-checkpoint/{MANIFEST}"), "a checkpoint is saved")

    def checkpoint_requests(self):
        return [request for request in self.cloud.requests()
                if "sparkles-checkpoint" in request.target]

    def test_preempted_task_continues(self):
        self.write_counter(150, "SAVES=only-on-term")
        first = self.start()
        wait_until(lambda: any("starts" in log.read_text() for log in
                               self.lab.tasks_dir.glob("task-*/work/stdout.txt")), "it counts")
        self.cloud.metadata.set("instance/preempted", "TRUE")
        first.wait(40)
        self.assertEqual(first.exit_code, 75, first.stderr)
        stopped_at = self.number_after("stops at")
        self.cloud.metadata.set("instance/preempted", "FALSE")
        second = self.start().wait()
        self.assertEqual(second.exit_code, 0, second.stderr)
        self.assertEqual(self.number_after("starts with"), stopped_at)
        self.assertEqual(self.number_after("ends at"), 150)
        result = json.loads(self.data("result.json"))
        self.assertEqual(result["checkpoint"]["restored_from_attempt"], 1)
        self.assertEqual(self.saved(), [])

    def test_killed_worker_loses_one_interval(self):
        self.write_counter(300)
        first = self.start()
        self.wait_for_manifest()
        first.signal(signal.SIGKILL)
        first.wait()
        second = self.start().wait()
        self.assertEqual(second.exit_code, 0, second.stderr)
        self.assertGreater(self.number_after("starts with"), 0)
        self.assertEqual(self.number_after("ends at"), 300)
        self.assertEqual(self.saved(), [])

    def test_frozen_worker_changes_no_checkpoint(self):
        self.write_counter(600)
        frozen = self.start("--localhost")
        self.wait_for_manifest()
        frozen.signal(signal.SIGSTOP)
        self.addCleanup(frozen.signal, signal.SIGKILL)
        self.lab.reset_task("count.1")
        self.lab.tasks_dir = self.lab.directory / "other-machine"
        second = self.start("--localhost")
        wait_until(lambda: "restored 1 file" in second.stderr, "another worker continues")
        before = self.data(f"sparkles-checkpoint/{MANIFEST}")
        wait_until(lambda: self.data(f"sparkles-checkpoint/{MANIFEST}") != before, "it saves")
        frozen.signal(signal.SIGCONT)
        wait_until(lambda: "dropped" in frozen.stderr, "the first worker notices", 40)
        self.assertEqual(json.loads(self.data(f"sparkles-checkpoint/{MANIFEST}"))["attempt"], 2)
        second.wait()
        self.assertEqual(second.exit_code, 0, second.stderr)
        self.assertEqual(self.number_after("ends at"), 600)
        frozen.wait()
        self.assertNotIn(f"count.1/sparkles-checkpoint/{MANIFEST}", self.saved())

    def test_reset_of_ended_task_starts_from_nothing(self):
        self.write_counter(100)
        # A checkpoint that could not be removed.
        self.cloud.storage.denied.add("storage.objects.delete")
        first = self.start("--permissionPatience", "0").wait()
        self.assertEqual(first.exit_code, 0, first.stderr)
        self.assertEqual(first.stderr.count("checkpoints of ended tasks stay"), 1, first.stderr)
        self.assertNotEqual(self.saved(), [])
        self.cloud.storage.denied.clear()
        self.lab.reset_task("count.1")
        second = self.start().wait()
        self.assertEqual(second.exit_code, 0, second.stderr)
        self.assertEqual(self.number_after("starts with"), 0)

    def test_unused_directory_costs_no_request(self):
        self.lab.write_tasks([self.lab.task("a.1", "sleep 2.5")])
        worker = self.start().wait()
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertEqual(self.checkpoint_requests(), [])

    def test_outage_of_saves_does_not_hurt_the_task(self):
        self.write_counter(150)
        self.fault(method="POST", path="sparkles-checkpoint", action="status", code=403)
        worker = self.start("--permissionPatience", "0").wait()
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertEqual(self.number_after("ends at"), 150)

    def test_save_costs_few_requests(self):
        self.write_counter(200)
        worker = self.start().wait()
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        saves = json.loads(self.data("result.json"))["checkpoint"]["saves"]
        requests = self.checkpoint_requests()
        self.assertGreaterEqual(saves, 2)
        # A save: the file, the manifest, the removal of the version before. In the end: the
        # manifest, its file, and what a save that was cut short may have left.
        self.assertLessEqual(len(requests), 3 * saves + 6,
                             [(request.kind, request.target) for request in requests])


if __name__ == "__main__":
    unittest.main()
