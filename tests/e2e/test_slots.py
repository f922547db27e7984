"""Tests of `--slots` with a tasks file: several tasks at a time below one parent."""
import json
import os
import resource
import signal
import time
import unittest

from gcloud.ports import free_port
from harness import LabTest, slots_of, wait_until
from test_cloud_health import metric, status


class SlotsTest(LabTest):
    def setUp(self):
        super().setUp()
        self.gate = self.lab.directory / "gate"

    def waiting_task(self, name, before="true", after="true"):
        """A task that notes its slot, and waits for the gate."""
        return self.lab.task(name, f"{before}; echo $SPARKLES_SLOT; touch {self.lab.directory}/"
                                   f"{name}.runs; while [ ! -e {self.gate} ]; do sleep 0.05; done;"
                                   f" {after}")

    def start_waiting(self, count, *flags, **options):
        """Starts a worker with `count` slots, each with a running task a.N."""
        self.names = [f"a.{number}" for number in range(count)]
        self.lab.write_tasks([self.waiting_task(name) for name in self.names])
        worker = self.lab.start_consume("--slots", count, *flags, **options)
        self.wait_until_run(self.names)
        return worker

    def wait_until_run(self, names):
        wait_until(lambda: all((self.lab.directory / f"{name}.runs").exists() for name in names),
                   "all tasks run")

    def assert_nothing_runs(self):
        wait_until(lambda: not self.lab.processes(), "all processes have ended")


class Running(SlotsTest):
    def test_tasks_run_at_the_same_time(self):
        port = free_port()
        worker = self.start_waiting(3, "--healthPort", port)
        self.assertEqual(metric(port, "sparkles_task_running"), 3)
        self.assertEqual(status(port, "/healthz"), 200)
        self.gate.touch()
        self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        for name in self.names:
            self.assert_complete(name)
            self.assert_delivered(name)
        self.assertEqual(sorted(self.lab.log(name) for name in self.names), ["0\n", "1\n", "2\n"])
        self.assertEqual(worker.stderr.count("summary: claimed 3, complete 3"), 1, worker.stderr)
        self.assertEqual(worker.stderr.count("no task is left"), 1, worker.stderr)
        self.assertEqual(list(self.lab.tasks_dir.iterdir()), [])

    def test_each_task_runs_once(self):
        names = [f"a.{number}" for number in range(60)]
        self.lab.write_tasks([self.lab.task(name, "echo x > out") for name in names])
        worker = self.lab.consume("--slots", "8")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        for name in names:
            self.assertEqual([line["status"] for line in self.lab.states()[name].lines],
                             ["claimed", "complete"])
            self.assert_delivered(name)

    def test_one_slot_needs_no_parent(self):
        for flags in ((), ("--slots", "1")):
            with self.subTest(flags=flags):
                self.lab.state_file.unlink(missing_ok=True)
                self.run_tasks(self.lab.task("a.1", "echo $SPARKLES_SLOT; ps -o args= -p $PPID"),
                               flags=flags)
                self.assertEqual(self.lab.log("a.1").splitlines()[0], "0")
                self.assertNotIn("(slot)", self.lab.log("a.1"))

    def test_nested_worker_has_one_slot(self):
        self.lab.write_tasks([self.lab.task("a.1", "env | grep ^SPARKLES_SLOT")])
        worker = self.lab.consume(environment={"SPARKLES_SLOTS": "2", "SPARKLES_SLOT": "7"})
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertIn("starts 2 slots", worker.stderr)
        self.assertRegex(self.lab.log("a.1"), r"\ASPARKLES_SLOT=[01]\n\Z")

    def test_memory_limits_automatic_slots(self):
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        worker = self.lab.consume("--slots", "auto", "--slotMemory", "1000T")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertNotIn("slots", worker.stderr)
        worker = self.lab.consume("--slots", "2", "--slotMemory", "1G")
        self.assertEqual(worker.exit_code, 2, worker.stderr)
        self.assertIn("only with --slots auto", worker.stderr)

    def test_invalid_number_is_named(self):
        self.lab.write_tasks([])
        for slots in ("0", "-1", "1025", "many", "2.5"):
            worker = self.lab.consume(f"--slots={slots}")
            self.assertEqual(worker.exit_code, 2, worker.stderr)
            self.assertIn(f"--slots: '{slots}' is neither a number from 1 to 1024 nor 'auto'",
                          worker.stderr)

    def test_problems_of_file_are_told_once(self):
        self.lab.write_tasks([self.lab.task("a.1", "true"), {"task_id": "b.1"}])
        worker = self.lab.consume("--slots", "3")
        self.assertEqual(worker.exit_code, 4, worker.stderr)
        self.assertEqual(worker.stderr.count("tasks[1]"), 1, worker.stderr)
        self.assertNotIn("slot ", worker.stderr)
        self.assert_complete("a.1")


    def test_new_problem_of_file_is_told_once(self):
        tasks = "\n".join(json.dumps(self.waiting_task(f"a.{i}")) for i in range(3))
        self.lab.tasks_file.write_text(tasks + "\n", encoding="utf-8")
        worker = self.lab.start_consume("--slots", "3")
        self.wait_until_run(["a.0", "a.1", "a.2"])
        with self.lab.tasks_file.open("a", encoding="utf-8") as file:
            file.write("broken\n")
        self.gate.touch()
        self.assertEqual(worker.wait().exit_code, 4, worker.stderr)
        self.assertEqual(worker.stderr.count("line 4"), 1, worker.stderr)

    def test_bad_machine_does_not_use_up_queue(self):
        data = self.lab.put("big", b"x" * 3_000_000)
        names = [f"a.{number}" for number in range(30)]
        self.lab.write_tasks([
            self.lab.task(name, "true", downloads=[self.lab.download(data, "big")])
            for name in names])
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        worker = self.lab.consume("--slots", "4", preexec_fn=limit, seconds=200)
        self.assertEqual(worker.exit_code, 5, worker.stderr)
        states = self.lab.states()
        # Five faults in a row, those of the other slots at that time and at the first restart, and
        # one for each restart. Slots that count for themselves would claim 120 times.
        self.assertLessEqual(sum(states[name].count("claimed") for name in states), 5 + 3 + 3 + 5)
        self.assertFalse([name for name in states if states[name].status == "failed"])

    def test_low_limit_of_files_is_named(self):
        self.lab.write_tasks([])
        limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
        worker = self.lab.consume("--slots", "100", preexec_fn=limit)
        self.assertEqual(worker.exit_code, 5, worker.stderr)
        self.assertIn("100 slots need 328 open files, and the limit is 200", worker.stderr)
        worker = self.lab.consume("--slots", "20", preexec_fn=limit)
        self.assertEqual(worker.exit_code, 0, worker.stderr)


class Stops(SlotsTest):
    def assert_all_handed_back(self):
        for name in self.names:
            self.assertEqual([line["status"] for line in self.lab.states()[name].lines],
                             ["claimed", "pending"])
        self.assert_nothing_runs()

    def test_term_hands_back_all_tasks(self):
        worker = self.start_waiting(3)
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(30).exit_code, 143, worker.stderr)
        self.assert_all_handed_back()
        reasons = {self.lab.states()[name].lines[-1]["failure_reason"] for name in self.names}
        self.assertEqual(reasons, {"the worker was stopped by SIGTERM"})

    def test_second_signal_hurries_all_slots(self):
        self.names = ["a.0", "a.1"]
        self.lab.write_tasks([self.waiting_task(name, before="trap '' TERM")
                              for name in self.names])
        worker = self.lab.start_consume("--slots", "2", "--stopWithin", "600", "--grace", "300")
        self.wait_until_run(self.names)
        worker.signal(signal.SIGINT)
        time.sleep(1.2)  # signals within a second are one request
        self.assertIsNone(worker.exit_code)
        worker.signal(signal.SIGINT)
        self.assertEqual(worker.wait(60).exit_code, 130, worker.stderr)
        self.assert_all_handed_back()

    def test_drain_ends_after_running_tasks(self):
        self.names = ["a.0", "a.1", "a.2"]
        self.lab.write_tasks([self.waiting_task(name) for name in self.names])
        worker = self.lab.start_consume("--slots", "2")
        self.wait_until_run(self.names[:2])
        worker.signal(signal.SIGUSR1)
        time.sleep(0.5)
        self.gate.touch()
        self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        for name in self.names[:2]:
            self.assert_complete(name)
        self.assertNotIn("a.2", self.lab.states())
        self.assertIn("drained", worker.stderr)

    def test_slots_are_in_sessions_of_their_own(self):
        worker = self.start_waiting(2)
        for pid in slots_of(worker).values():
            self.assertEqual(os.getsid(pid), pid)  # Ctrl-C reaches only the parent
        self.gate.touch()
        self.assertEqual(worker.wait().exit_code, 0, worker.stderr)

    def test_killed_parent_ends_everything(self):
        worker = self.start_waiting(3)
        worker.signal(signal.SIGKILL)
        worker.wait(10)
        self.lab.worker_was_killed = True
        self.assert_nothing_runs()
        self.gate.touch()
        second = self.lab.consume("--slots", "3")
        self.assertEqual(second.exit_code, 0, second.stderr)
        for name in self.names:
            self.assert_complete(name)

    def test_frozen_slot_does_not_delay_end(self):
        worker = self.start_waiting(2, "--stopWithin", "5")
        os.kill(slots_of(worker)[1], signal.SIGSTOP)
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(30).exit_code, 143, worker.stderr)
        self.lab.worker_was_killed = True
        self.assert_nothing_runs()


class Restarts(SlotsTest):
    def test_killed_slot_costs_one_task(self):
        worker = self.start_waiting(3)
        slots = slots_of(worker)
        os.kill(slots[1], signal.SIGKILL)
        self.lab.worker_was_killed = True
        wait_until(lambda: slots_of(worker).get(1) not in (None, slots[1]), "the slot is replaced")
        self.assertEqual(slots_of(worker)[0], slots[0])
        self.gate.touch()
        self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        self.assertRegex(worker.stderr, r"slot 1 was killed by signal 9 while task a\.\d ran; "
                                        r"restart 1 of 5 in 1s")
        claims = []
        for name in self.names:
            self.assert_complete(name)
            claims.append(self.lab.states()[name].count("claimed"))
        self.assertEqual(sorted(claims), [1, 1, 2])

    def test_stopped_slot_is_not_started_again(self):
        worker = self.start_waiting(2)
        os.kill(slots_of(worker)[0], signal.SIGTERM)
        wait_until(lambda: "slot 0 exited with 143" in worker.stderr, "the parent says so")
        self.gate.touch()
        self.assertEqual(worker.wait().exit_code, 143, worker.stderr)
        for name in self.names:  # the other slot has run both
            self.assert_complete(name)


if __name__ == "__main__":
    unittest.main()
