"""Tests of SIGKILL for the worker and its launcher: the next worker on the machine cleans up."""
import os
import signal
import time
import unittest

from cloud_lab import CloudLabTest
from harness import LabTest, children_of, state_of, wait_until
from test_resources import hog, small_group


def kill_with_launcher(worker):
    """Stops both before it kills them, so that neither can react to the death of the other."""
    victims = [worker.pid, *children_of(worker.pid)]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in victims:
            os.kill(pid, number)
    worker.wait(10)
    for pid in victims:
        wait_until(lambda pid=pid: state_of(pid) in ("", "Z", "X"), "the launcher has ended")


class OrphanedProcesses(LabTest):
    def test_next_worker_ends_orphans(self):
        pids = self.lab.directory / "pids"
        stubborn = ("trap '' TERM HUP; echo $$ >> {0}; (setsid sleep 600 & echo $! >> {0}); "
                    "sh -c 'echo $$ >> {0}; sleep 600; true' & wait").format(pids)
        self.lab.write_tasks([self.lab.task("a.1", f"[ -e {pids} ] || {{ {stubborn}; }}")])
        worker = self.lab.start_consume()
        wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 3, "all pids exist")
        kill_with_launcher(worker)
        self.lab.worker_was_killed = True
        self.assertTrue(self.lab.processes(), "they must still run")
        second = self.lab.consume()
        self.assertEqual(second.exit_code, 0, second.stderr)
        self.assertRegex(second.stderr, r"ended \d+ processes of a worker that was killed")
        self.assertEqual(self.lab.processes(), [])
        self.assertEqual(list(self.lab.tasks_dir.iterdir()), [])
        self.assert_complete("a.1")

    def test_takeover_ends_orphans_first(self):
        pids, gate = self.lab.directory / "pids", self.lab.directory / "gate"
        stubborn = f"trap '' TERM HUP; setsid sleep 600 & echo $! > {pids}; wait"
        self.lab.write_tasks([
            self.lab.task("a.1", f"[ -e {pids} ] || {{ {stubborn}; }}"),
            self.lab.task("b.1", f"while [ ! -e {gate} ]; do sleep 0.05; done")])
        first = self.lab.start_consume()
        wait_until(lambda: pids.exists() and pids.read_text(), "the command runs")
        second = self.lab.start_consume()
        wait_until(lambda: self.lab.states().get("b.1"), "the other worker is busy")
        kill_with_launcher(first)
        self.lab.worker_was_killed = True
        gate.touch()
        second.wait(60)
        self.assertEqual(second.exit_code, 0, second.stderr)
        self.assertRegex(second.stderr, r"ended \d+ processes of a worker that was killed")
        self.assertEqual(self.lab.processes(), [])
        self.assert_complete("a.1")
        self.assertEqual(self.lab.states()["a.1"].count("claimed"), 2)


class Journal(CloudLabTest):
    def start_long_task(self, command="exec sleep 600"):
        self.lab.write_tasks([self.lab.task("a.1", command)])
        worker = self.lab.start_consume("--localhost")
        self.wait_for_status("a.1", "claimed")
        return worker

    def kill(self, worker):
        worker.signal(signal.SIGKILL)
        worker.wait(10)
        wait_until(lambda: not self.lab.processes(), "all processes of the worker have ended", 10)

    def story(self, name="a.1"):
        return [line["status"] for line in self.lab.states()[name].lines]

    def test_next_worker_hands_back_claim(self):
        gate = self.lab.directory / "gate"
        self.kill(self.start_long_task(f"[ -e {gate} ] || exec sleep 600"))
        self.assertEqual(self.story(), ["pending", "claimed"])
        gate.touch()
        second = self.lab.consume("--localhost")
        self.assertEqual(second.exit_code, 0, second.stderr)
        self.assertEqual(self.story(), ["pending", "claimed", "reset", "claimed", "complete"])
        self.assertIn("abandoned", self.lab.states()["a.1"].lines[2]["failure_reason"])
        self.assertEqual(list(self.lab.tasks_dir.iterdir()), [])

    def test_neighbour_ends_orphans_then_hands_back(self):
        pids = self.lab.directory / "pids"
        worker = self.start_long_task(
            f"[ -e {pids} ] || {{ trap '' TERM; setsid sleep 600 & echo $! > {pids}; wait; }}")
        neighbour = self.lab.start_consume("--localhost", "--shutdownAfter", "600")
        wait_until(lambda: pids.exists() and pids.read_text(), "the command runs")
        kill_with_launcher(worker)
        self.lab.worker_was_killed = True
        self.wait_for_status("a.1", "complete")
        neighbour.signal(signal.SIGUSR1)
        self.assertEqual(neighbour.wait(30).exit_code, 0, neighbour.stderr)
        self.assertEqual(self.lab.processes(), [])
        self.assertRegex(neighbour.stderr, r"(?s)ended \d+ processes of a worker that was killed"
                                           r".*handed back: claimed by a dead worker")

    def test_kill_during_claim_strands_no_task(self):
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        self.fault(kind="datastore.commit", action="cut", apply=True)
        stall = self.fault(kind="datastore.lookup", skip=1, action="stall", seconds=60)
        worker = self.lab.start_consume("--localhost")
        self.wait_for_status("a.1", "claimed")  # the worker has no answer to its commit
        wait_until(lambda: stall.strikes, "the request arrives")
        self.kill(worker)
        second = self.lab.consume("--localhost")
        self.assertEqual(second.exit_code, 0, second.stderr)
        self.assertEqual(self.story(), ["pending", "claimed", "reset", "claimed", "complete"])

    def test_ten_worker_kills_fail_task(self):  # D30
        self.lab.write_tasks([
            self.lab.task("evil.1", f"kill -9 $(cat {self.lab.directory}/pid); sleep 600"),
            self.lab.task("good.1", "true")])
        for _ in range(13):
            worker = self.lab.start_consume("--localhost", preexec_fn=self.write_pid)
            if worker.wait(40).exit_code == 0:
                break
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_failed("evil.1", "10")
        self.assertEqual(self.lab.states()["evil.1"].count("claimed"), 10)
        self.assert_complete("good.1")

    def test_oom_kill_is_named_in_reset(self):
        gate = self.lab.directory / "gate"
        self.lab.write_tasks([self.lab.task(
            "a.1", f"[ -e {gate} ] || {{ touch {gate}; {hog(1000, 60)}; "
                   f"kill -9 $(cat {self.lab.directory}/pid); sleep 600; }}")])
        with small_group(200 << 20) as (group, why_not):
            if group is None:
                self.skipTest(why_not)

            def enter():
                (group / "cgroup.procs").write_text(str(os.getpid()))
                self.write_pid()

            self.lab.start_consume("--localhost", preexec_fn=enter).wait(40)
            wait_until(lambda: not self.lab.processes(), "the worker has ended", 10)
            second = self.lab.consume("--localhost", preexec_fn=enter)
        self.assertEqual(second.exit_code, 0, second.stderr)
        self.assertEqual(self.story(), ["pending", "claimed", "reset", "claimed", "complete"])
        self.assertRegex(self.lab.states()["a.1"].lines[2]["failure_reason"],
                         "^abandoned: .*; out of memory: .*: 1 in its control group$")

    def write_pid(self):
        (self.lab.directory / "pid").write_text(str(os.getpid()))

    def test_hostile_journals_are_ignored(self):
        self.lab.tasks_dir.mkdir()
        (self.lab.tasks_dir / "claims-100000001.journal").write_bytes(os.urandom(5000))
        (self.lab.tasks_dir / "claims-100000002.journal").write_text(
            '{"event":"claim","project":"%s","cluster":"x","task_id":"a.1","owner":"localhost",'
            '"version":1,"claimed_at_us":1}\n' % self.lab.datastore.project)
        os.mkfifo(self.lab.tasks_dir / "claims-100000003.journal")
        os.symlink("/dev/zero", self.lab.tasks_dir / "claims-100000004.journal")
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        worker = self.lab.consume("--localhost")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_once(["a.1"], worker)


class FrozenWorker(CloudLabTest):
    def test_frozen_worker_overwrites_nothing(self):  # D17
        """The worker wakes during its delivery, after another worker has delivered the task."""
        self.lab.write_tasks([self.lab.task("a.1", "echo $SPARKLES_ATTEMPT > out")])
        stall = self.fault(kind="upload.*", path="a.1%2Fout|a.1/out", action="stall", seconds=6)
        frozen = self.lab.start_consume("--localhost")
        wait_until(lambda: stall.strikes, "the upload starts")
        frozen.signal(signal.SIGSTOP)
        self.addCleanup(frozen.signal, signal.SIGKILL)
        self.lab.reset_task("a.1")
        self.lab.tasks_dir = self.lab.directory / "other"
        second = self.lab.consume("--localhost")
        self.assertEqual(second.exit_code, 0, second.stderr)
        before = self.generations()
        time.sleep(22)  # before it delivers now, the worker must check its claim again
        frozen.signal(signal.SIGCONT)
        wait_until(lambda: "dropped" in frozen.stderr, "the worker notices the lost claim", 60)
        self.assertEqual(frozen.wait(60).exit_code, 0, frozen.stderr)
        self.assertEqual(self.generations(), before)
        self.assertEqual(self.lab.stored("a.1")["out"], b"2\n")
        self.assertEqual(self.lab.states()["a.1"].count("complete"), 1)

    def generations(self):
        return {name: found.generation
                for name, found in self.cloud.storage.objects("lab").items()}


if __name__ == "__main__":
    unittest.main()
