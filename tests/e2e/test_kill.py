"""Tests of SIGKILL for the worker at each step of a task and at random: each task ends once."""
import ctypes
import fcntl
import os
import random
import re
import signal
import time
import unittest

from harness import SLOWNESS, LabTest, children_of, state_of, wait_until


class Kill(LabTest):
    TASKS = 8

    def setUp(self):
        super().setUp()
        self.marks = self.lab.directory / "marks"
        self.marks.mkdir()
        shared = self.lab.put_cas(os.urandom(1_500_000))
        own = self.lab.put("own", os.urandom(500_000))
        command = (f"touch {self.marks}/$SPARKLES_TASK_ID; mkdir out; i=0; "
                   "while [ $i -lt 60 ]; do echo $SPARKLES_TASK_ID $i > out/$i; i=$((i+1)); done; "
                   "cat shared own | head -c 700000 > big.bin; sleep 0.05; echo done")
        self.tasks = [
            self.lab.task(f"k.{n}", command, downloads=[
                self.lab.download(shared, "shared", is_cas_key=True, symlink_safe=n % 2 == 0),
                self.lab.download(own, "own")])
            for n in range(1, self.TASKS + 1)]
        self.lab.write_tasks(self.tasks)

    def kill(self, worker):
        """Kills the worker with KILL; its command and launcher must then end, too."""
        self.lab.worker_was_killed = True
        worker.signal(signal.SIGKILL)
        worker.wait(10)
        self.wait_for_launcher()
        self.assert_no_false_claims()

    def wait_for_launcher(self):
        """Waits, because the launcher holds the claim, and the next worker would find no task."""
        wait_until(lambda: not self.lab.processes(), "all processes have ended", 10)

    def kill_when(self, condition, what):
        worker = self.lab.start_consume()
        wait_until(lambda: condition() or worker.exit_code is not None, what)
        self.kill(worker)

    def assert_no_false_claims(self):
        for name, state in self.lab.states().items():
            if state.status == "complete":
                self.assert_delivered(name)

    def assert_all_complete_and_clean(self):
        self.assertEqual(self.lab.consume(seconds=60).exit_code, 0)
        states = self.lab.states()
        self.assertEqual(sorted(states), sorted(task["task_id"] for task in self.tasks))
        for name, state in states.items():
            self.assertEqual((state.status, state.exit_code), ("complete", "0"), state.lines)
            self.assertEqual(state.count("complete"), 1, state.lines)
            versions = [line["version"] for line in state.lines]
            self.assertEqual(versions, sorted(set(versions)), "each change has its own version")
            self.assert_delivered(name)  # the store has only files that result.json lists
            self.assertEqual(len(self.lab.outputs(name)), 61)
            self.assertTrue(self.lab.log(name).endswith("done\n"))
        for path in self.lab.cache_dir.iterdir():
            self.assertRegex(path.name, re.compile(r"^([0-9a-f]{64}(\.ok|\.lock)?|uses\.lock)$"))
        self.assertEqual(list(self.lab.tasks_dir.glob("task-*")), [])
        self.assertEqual(self.lab.processes(), [])

    def test_kill_during_staging_loses_nothing(self):
        self.kill_when(lambda: list(self.lab.tasks_dir.glob("task-*/work")), "a task has begun")
        self.kill_when(lambda: list(self.lab.tasks_dir.glob("task-*/work/shared")),
                       "an input is there")
        self.assert_all_complete_and_clean()

    def test_kill_during_command_loses_nothing(self):
        for number in (1, 2, 3):
            self.kill_when((self.marks / f"k.{number}").exists, "the command runs")
        self.assert_all_complete_and_clean()

    def test_kill_during_delivery_loses_nothing(self):
        self.kill_when((self.lab.store / "k.1").exists, "the first output is there")
        self.kill_when((self.lab.store / "k.2" / "out").exists, "more outputs are there")
        self.kill_when((self.lab.store / "k.3" / "stdout.txt").exists, "the log exists")
        self.kill_when((self.lab.store / "k.4" / "result.json").exists, "the result is there")
        self.assert_all_complete_and_clean()

    def test_kill_at_random_loses_nothing(self):
        seed = random.randrange(1_000_000)
        chance = random.Random(seed)
        with self.subTest(seed=seed):
            for _ in range(15):
                worker = self.lab.start_consume()
                time.sleep(chance.uniform(0, 0.4) * SLOWNESS)
                self.kill(worker)
            self.assert_all_complete_and_clean()

    def test_surviving_worker_runs_all_tasks(self):
        self.lab.worker_was_killed = True
        survivor = self.lab.start_consume()
        victim = self.lab.start_consume()
        wait_until(lambda: len(list(self.marks.iterdir())) >= 2, "both workers run tasks")
        victim.signal(signal.SIGKILL)
        self.assertEqual(survivor.wait().exit_code, 0, survivor.stderr)
        self.wait_for_launcher()
        self.assert_all_complete_and_clean()

    def test_ten_worker_kills_fail_task(self):
        kill_worker = f"kill -9 $(cat {self.lab.directory}/pid)"
        self.lab.write_tasks([self.lab.task("evil.1", kill_worker),
                              self.lab.task("good.1", "true")])
        self.lab.worker_was_killed = True
        for _ in range(12):
            worker = self.lab.start_consume(preexec_fn=self.write_pid)
            if worker.wait(20).exit_code == 0:
                break
            self.wait_for_launcher()
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_failed("evil.1", "10")
        self.assertEqual(self.lab.states()["evil.1"].count("claimed"), 10)
        self.assert_complete("good.1")

    def write_pid(self):
        (self.lab.directory / "pid").write_text(str(os.getpid()))


def hide_proc():
    """For a child: without /proc, unfinished files have temporary names, as on NFS or vfat."""
    clone_newns = 0x00020000
    ctypes.CDLL(None).unshare(clone_newns)
    os.system("mount --make-rprivate / && mount -t tmpfs none /proc")


class TemporaryFiles(LabTest):
    def temps(self):
        return list(self.lab.store.glob("a.1/.sparkles-*"))

    def test_next_attempt_removes_temporary_file(self):
        if os.geteuid() != 0 or os.system("unshare -m true") != 0:
            self.skipTest("needs the right to mount")
        self.lab.write_tasks([self.lab.task("a.1", "truncate -s 500M big", uploads={
            "include_patterns": ["big"], "dst_url": self.lab.url("a.1")})])
        worker = self.lab.start_consume(preexec_fn=hide_proc)
        wait_until(self.temps, "an output is being written")
        worker.signal(signal.SIGKILL)
        worker.wait(10)
        self.lab.worker_was_killed = True
        self.assertEqual(len(self.temps()), 1)
        wait_until(lambda: not self.lab.processes(), "all processes have ended")
        self.assertEqual(self.lab.consume(preexec_fn=hide_proc).exit_code, 0)
        self.assert_complete("a.1")
        self.assertEqual(self.temps(), [])


class StoppedReader(LabTest):
    def test_unread_stderr_delays_no_task_or_stop(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        started = self.lab.directory / "started"
        self.lab.write_tasks([
            self.lab.task("a.1", "true", **{"pre-exec-script": "seq 1 20000"}),
            self.lab.task("b.1", f"touch {started}; sleep 600")])
        worker = self.lab.start_consume(stderr=writer)
        os.close(writer)
        wait_until(started.exists, "the second task runs")
        self.assert_complete("a.1")
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(30).exit_code, 143)
        self.assertEqual(self.lab.states()["b.1"].status, "pending")


class StoppedLauncher(LabTest):
    def test_stopped_launcher_lets_worker_end(self):
        """The worker waits for its launcher when it ends, but only for a limited time."""
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        worker = self.lab.start_consume("--shutdownAfter", "600")
        wait_until(lambda: any(state.status == "complete" for state in self.lab.states().values()),
                   "the task is done")
        launcher = children_of(worker.pid)[0]  # another child follows if there is a GPU
        os.kill(launcher, signal.SIGSTOP)
        wait_until(lambda: state_of(launcher) == "T", "the launcher is stopped")
        worker.signal(signal.SIGUSR1)
        self.assertEqual(worker.wait(25).exit_code, 0, worker.stderr)


if __name__ == "__main__":
    unittest.main()
