"""Tests of --noProgressTimeout: idle commands are ended, and working commands are not."""
import ctypes
import os
import shutil
import signal
import time
import unittest

from hang import HungMount
from harness import BINARY, LabTest, wait_until
from test_mounts import MountTest

REASON = "no progress for 2s (--noProgressTimeout)"


def loop(step, count=9, pause=1):
    return f"for i in $(seq {count}); do sleep {pause}; {step}; done"


class IdleCommand(LabTest):
    def run_idle(self, command, *flags, **options):
        """Runs a command that is idle, and a task after that. Returns the log of the command."""
        self.lab.write_tasks([self.lab.task("a.1", command), self.lab.task("a.2", "exit 3")])
        worker = self.lab.consume("--noProgressTimeout", "2", "--grace", "1", *flags, **options)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_failed("a.1", REASON, "must print a line")
        result = self.lab.result("a.1")
        self.assertEqual(result["cause"]["kind"], "no_progress")
        self.assertIn(REASON, result["cause"]["detail"])
        self.assertEqual(self.lab.outputs("a.1"), [])
        self.assertIn("machine faults 0", worker.stderr)
        self.assert_complete("a.2", "3")
        self.assertEqual(self.lab.processes(), [])
        log = self.lab.log("a.1")
        self.assertEqual(log.count(f"sparkles: {REASON}; the command is ended"), 1, log)
        return log

    def test_sleeping_command_is_named(self):
        log = self.run_idle("printf begun; echo x > x; sleep 1000 & wait")
        self.assertTrue(log.startswith(f"begun\nsparkles: {REASON}"), log)
        self.assertRegex(log, r"\nsparkles: process \d+ 'sh', parent \d+: S \(sleeping\)")
        self.assertRegex(log, r"\nsparkles: process \d+ 'sleep', parent \d+: S \(sleeping\)")

    def test_command_ignoring_term_is_killed(self):
        self.run_idle("trap '' TERM; exec sleep 1000")
        self.assertEqual(self.lab.result("a.1")["return_code"], "signaled(killed)")

    def test_stopped_command_is_ended(self):
        self.assertRegex(self.run_idle("kill -STOP $$"), r"'sh', parent \d+: T \(stopped\)")

    def test_names_are_printable(self):
        log = self.run_idle("printf 'a\\033b' > /proc/$$/comm; kill -STOP $$")
        self.assertIn(r"'a\x1bb', parent ", log)

    def test_worker_needs_no_privileges(self):
        if os.geteuid() != 0:
            self.skipTest("the other tests run without privileges")
        for directory in (self.lab.directory, self.lab.store):
            directory.chmod(0o777)
        program = self.lab.directory / "sparklesworker"
        shutil.copy(BINARY, program)
        self.assertRegex(self.run_idle("sleep 1000 & wait", program=program, user=65534),
                         r"\nsparkles: process \d+ 'sleep', parent \d+: S \(sleeping\)")

    def test_idle_script_is_ended(self):
        worker = self.run_tasks(self.lab.task("a.1", "exit 3", **{"pre-exec-script": "sleep 1000"}),
                                flags=("--noProgressTimeout", "2", "--grace", "1"))
        self.assert_complete("a.1", "3")
        self.assertIn(f"pre-exec-script: {REASON}", worker.stderr)
        self.assertRegex(worker.stderr, r"pre-exec-script.*process \d+ 's(h|leep)', parent ")


class WorkingCommand(LabTest):
    def test_any_work_is_progress(self):
        commands = {
            "a.busy": "end=$(($(date +%s) + 9)); while [ $(date +%s) -lt $end ]; do :; done",
            "a.prints": loop("echo $i"),
            "a.reads": loop("dd if=/dev/zero of=/dev/null bs=1M count=1 2> /dev/null"),
            "a.daemon": f"mkfifo pipe; (setsid sh -c '{loop(':')}; echo > pipe' &); read x < pipe",
        }
        self.lab.write_tasks([self.lab.task(*each) for each in commands.items()])
        workers = [self.lab.start_consume("--noProgressTimeout", "4") for _ in commands]
        for worker in workers:
            self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        for name in commands:
            self.assert_complete(name)
            self.assertGreater(self.lab.result(name)["resource_usage"]["elapsed_time"], 4)
            self.assertNotIn("no progress", self.lab.log(name))

    def test_timeout_is_off_by_default(self):
        for flags in ((), ("--noProgressTimeout", "0")):
            self.lab.state_file.unlink(missing_ok=True)
            self.run_tasks(self.lab.task("a.1", "sleep 2"), flags=flags)
            self.assert_complete("a.1")

    def test_frozen_worker_ends_no_command(self):
        self.lab.write_tasks([self.lab.task("a.1", "touch ../begun; sleep 11")])
        worker = self.lab.start_consume("--noProgressTimeout", "6")
        wait_until(lambda: list(self.lab.tasks_dir.glob("task-*/begun")), "command begun")
        worker.signal(signal.SIGSTOP)
        time.sleep(7)
        worker.signal(signal.SIGCONT)
        self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        self.assert_complete("a.1")


class DeadServer(MountTest):
    """Mounts whose server does not answer, like an NFS server that is away."""

    FLAGS = ("--noProgressTimeout", "2", "--grace", "1")

    def assert_waits_for_fuse(self, log):
        self.assertRegex(log, r"\nsparkles: process \d+ 'cat', parent \d+: .*"
                              r"(waits in (\w*fuse|request_wait)|kernel stack: .*fuse)")

    def mount_deaf_fuse(self, path):
        """Mounts a file system whose server does not even read requests. KILL ends a wait there."""
        path.mkdir()
        try:
            device = os.open("/dev/fuse", os.O_RDWR)
        except OSError:
            self.skipTest("needs /dev/fuse")
        self.addCleanup(os.close, device)
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
        if ctypes.CDLL(None).mount(b"deaf", os.fsencode(path), b"fuse", 0, options) != 0:
            self.skipTest("needs the right to mount")
        self.addCleanup(os.system, f"umount -l {path}")

    def test_process_in_state_d_is_ended(self):
        self.mount_deaf_fuse(self.lab.directory / "deaf")
        self.run_tasks(self.lab.task("a.1", f"cat {self.lab.directory}/deaf/x & wait"),
                       flags=self.FLAGS)
        self.assert_failed("a.1", REASON)
        self.assertRegex(self.lab.log("a.1"), r"'cat', parent \d+: D \(disk sleep\)")
        self.assert_waits_for_fuse(self.lab.log("a.1"))

    def test_unkillable_command_is_machine_fault(self):
        try:
            mount = HungMount(self.lab.directory / "hung")
        except OSError as error:
            self.skipTest(f"needs /dev/fuse: {error}")
        self.addCleanup(mount.close)
        self.lab.write_tasks([self.lab.task("a.1", f"exec cat {mount.path}/x")])
        worker = self.lab.start_consume(*self.FLAGS)
        wait_until(lambda: any(state.count("pending") for state in self.lab.states().values()),
                   "handed back", 60)
        self.assert_handed_back("a.1", "still runs after SIGKILL")
        self.assert_waits_for_fuse(self.lab.log("a.1"))
        mount.close()
        self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        self.assert_complete("a.1", "1")  # the file does not exist


if __name__ == "__main__":
    unittest.main()
