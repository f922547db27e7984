"""Tests of `--slots` in a cluster: slots share the Monitor, the health port and the notices."""
import os
import signal
import unittest

from cloud_lab import CloudLabTest
from gcloud.ports import free_port
from harness import slots_of, wait_until
from monitor_lab import MonitorTest
from test_cloud_health import metric, status
from test_cloud_preemption import NOTICE


class CloudSlotsTest(CloudLabTest):
    def start_waiting(self, count, *flags):
        """Starts a worker with `count` slots, each with a task that waits for the gate."""
        self.gate = self.lab.directory / "gate"
        self.names = [f"a.{number}" for number in range(1, count + 1)]
        self.lab.write_tasks([
            self.lab.task(name, f"echo {name} runs; "
                                f"while [ ! -e {self.gate} ]; do sleep 0.05; done")
            for name in self.names])
        worker = self.lab.start_consume("--slots", count, *flags)
        for name in self.names:
            self.wait_for_status(name, "claimed")
        return worker

    def story(self, name):
        return [line["status"] for line in self.lab.states()[name].lines]


class Claims(CloudSlotsTest):
    def test_each_slot_claims_another_task(self):
        port = free_port()
        worker = self.start_waiting(3, "--localhost", "--healthPort", port)
        self.assertEqual(metric(port, "sparkles_task_running"), 3)
        self.assertEqual(status(port, "/readyz"), 200)
        self.gate.touch()
        self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        for name in self.names:
            self.assertEqual(self.story(name), ["pending", "claimed", "complete"])

    def test_killed_slot_hands_back_its_claim(self):
        worker = self.start_waiting(2, "--localhost")
        os.kill(slots_of(worker)[0], signal.SIGKILL)
        self.lab.worker_was_killed = True
        wait_until(lambda: any("reset" in self.story(name) for name in self.names),
                   "the next process of the slot hands back")
        self.gate.touch()
        self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        stories = sorted((self.story(name) for name in self.names), key=len)
        self.assertEqual(stories, [["pending", "claimed", "complete"],
                                   ["pending", "claimed", "reset", "claimed", "complete"]])

    def test_killed_parent_strands_no_task(self):
        worker = self.start_waiting(2, "--localhost")
        worker.signal(signal.SIGKILL)
        worker.wait(10)
        self.lab.worker_was_killed = True
        wait_until(lambda: not self.lab.processes(), "all processes have ended")
        self.gate.touch()
        second = self.lab.consume("--localhost", "--slots", "2")
        self.assertEqual(second.exit_code, 0, second.stderr)
        for name in self.names:
            self.assertEqual(self.story(name),
                             ["pending", "claimed", "reset", "claimed", "complete"])


class Notices(CloudSlotsTest):
    def test_preemption_hands_back_all_tasks(self):
        worker = self.start_waiting(3)
        self.cloud.metadata.set("instance/preempted", "TRUE")
        self.assertEqual(worker.wait(40).exit_code, 75, worker.stderr)
        for name in self.names:
            self.assertEqual(self.story(name), ["pending", "claimed", "reset"])
            self.assertEqual(self.lab.states()[name].lines[-1]["failure_reason"], NOTICE)
        watches = sum("preempted" in request.path for request in self.cloud.requests())
        self.assertLessEqual(watches, 3)  # only the parent watches


class Monitor(MonitorTest):
    def test_one_monitor_has_logs_of_all_slots(self):
        self.gate = self.lab.directory / "gate"
        self.lab.write_tasks([
            self.lab.task(name, f"echo {name} runs; "
                                f"while [ ! -e {self.gate} ]; do sleep 0.05; done")
            for name in ("job.1", "job.2")])
        worker = self.lab.start_watched("--slots", "2", "--shutdownAfter", "30")
        client = self.client()
        for name in ("job.1", "job.2"):
            self.wait_for_status(name, "claimed")
            self.assertEqual(self.lab.states()[name].monitor_address,
                             f"localhost:{self.lab.port}")
            wait_until(lambda name=name: client.read(name).code == "OK", "the log exists")
            self.assertEqual(client.read(name).reply["data"], f"{name} runs\n")
        self.gate.touch()
        for name in ("job.1", "job.2"):
            self.wait_for_status(name, "complete")
            self.assertEqual(client.read(name).code, "OK")  # of a task that has ended
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait().exit_code, 143, worker.stderr)


if __name__ == "__main__":
    unittest.main()
