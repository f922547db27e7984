"""Tests of fork bombs and of processes that the worker cannot kill."""
import os
import resource
import shutil
import signal
import subprocess
import unittest

from harness import BINARY, LabTest, children_of, wait_until

LIMIT = 100
BOMB = ("setsid python3 -c 'import os\nwhile True:\n  try: os.fork()\n  except OSError: pass' & "
        "sleep 1; echo done > out.txt")


@unittest.skipIf(os.geteuid() != 0, "needs the right to become another user")
class UnkillableProcesses(LabTest):
    def setUp(self):
        super().setUp()
        self.lab.directory.chmod(0o777)
        self.lab.store.chmod(0o777)
        program = self.lab.directory / "sparklesworker"
        shutil.copy(BINARY, program)
        # The limit counts all threads of a user, so the worker needs a user of its own.
        self.other_user = {"user": 60000 + os.getpid() % 5000, "program": program, "preexec_fn":
                         lambda: resource.setrlimit(resource.RLIMIT_NPROC, (LIMIT, LIMIT))}
        user = self.other_user["user"]
        if subprocess.run(["test", "-x", program], user=user, check=False).returncode != 0:
            self.skipTest("the temp directory is closed to other users")

    def test_fork_bomb_is_ended(self):
        self.lab.write_tasks([self.lab.task("a.1", BOMB), self.lab.task("a.2", "echo second")])
        worker = self.lab.consume(**self.other_user)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_complete("a.1")
        self.assert_delivered("a.1")
        self.assert_complete("a.2")
        self.assertEqual(self.lab.processes(), [])

    def test_next_worker_ends_fork_bomb(self):
        self.lab.write_tasks([self.lab.task("a.1", f"[ -e ../../1 ] || {{ >../../1; {BOMB}; }}")])
        worker = self.lab.start_consume(**self.other_user)
        self.lab.worker_was_killed = True
        wait_until(lambda: len(self.lab.processes()) > LIMIT / 2, "the bomb has grown")
        for pid in (*children_of(worker.pid), worker.pid):  # the launcher first
            os.kill(pid, signal.SIGKILL)
        worker.wait(10)
        following = self.lab.consume(program=self.other_user["program"])  # by root, without limit
        self.assertEqual(following.exit_code, 0, following.stderr)
        self.assert_complete("a.1")
        self.assertEqual(self.lab.processes(), [])

    def test_survivor_fails_task(self):
        rise = self.lab.directory / "rise"
        shutil.copy("/usr/bin/setpriv", rise)
        rise.chmod(0o4755)
        pid_file = self.lab.directory / "pid"
        survivor = (f"(setsid {rise} --reuid 0 --regid 0 --clear-groups "
                    f"sh -c 'echo $$ > {pid_file}; exec sleep 1000' &); "
                    f"while [ ! -s {pid_file} ]; do sleep 0.01; done; echo x > out.txt")
        self.lab.write_tasks([self.lab.task("a.1", survivor), self.lab.task("a.2", "echo second")])
        worker = self.lab.start_consume(**self.other_user)
        wait_until(lambda: "nothing is claimed now" in worker.stderr, "the worker waits", 60)
        self.assert_failed("a.1", "SIGKILL")
        self.assertEqual(self.lab.outputs("a.1"), [])
        self.assertIn("SIGKILL", self.lab.result("a.1")["failure_reason"])
        self.assertNotIn("a.2", self.lab.states())
        os.kill(int(pid_file.read_text(encoding="utf-8")), signal.SIGKILL)
        self.assertEqual(worker.wait(60).exit_code, 0, worker.stderr)
        self.assert_complete("a.2")


if __name__ == "__main__":
    unittest.main()
