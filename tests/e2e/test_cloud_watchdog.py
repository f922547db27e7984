"""Tests of the watchdog: a stuck worker dumps its stacks and ends; a waiting one continues."""
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

from cloud_lab import CloudLabTest
from harness import BINARY, SANITIZED, LabTest, wait_until

EXIT_STUCK = 6
THREADS = ("main", "watchdog", "signals", "claim-watch")


def period(seconds):
    return ("--timeout", str(seconds / 60))


class StuckWorker(CloudLabTest):
    """Watchdog periods that are longer than a request to Datastore usually takes."""

    def test_stalled_transfer_hands_back(self):
        url = self.lab.put("input", b"x" * 1000)
        self.fault(kind="object.media", action="stall", seconds=60, response_bytes=100, count=0)
        for _ in range(3):  # on a busy machine a thread may be too late with its stack
            self.lab.write_tasks([self.lab.task("a.1", "true", downloads=[
                self.lab.download(url, "input")])])
            worker = self.lab.start_consume(*period(3))
            worker.wait(30)
            self.check_hand_back(worker)
            if self.is_whole(worker.stderr):
                break
        self.check_dump(worker.stderr)

    def check_hand_back(self, worker):
        self.assertEqual(worker.exit_code, EXIT_STUCK, worker.stderr)
        state = self.lab.states()["a.1"]
        self.assertEqual([line["status"] for line in state.lines], ["pending", "claimed", "reset"])
        self.assertEqual((state.status, state.owner), ("pending", None))
        # Counts as an abandoned claim, so that a task that stalls every worker fails at some time.
        self.assertEqual(state.lines[-1]["failure_reason"],
                         "abandoned: the worker was stuck: no sign of life for 6s")
        self.assertEqual(worker.stderr.count("no sign of life for 3s"), 1, worker.stderr)
        wait_until(lambda: not self.lab.processes(), "the launcher has ended")

    @staticmethod
    def stacks(text):
        """{name of a thread: its stack}"""
        return dict(re.findall(r"watchdog: thread \d+ '([^']+)': (stack.*)", text))

    MAIN_SLEEPS = r"thread \d+ 'main': S.*system call "

    def is_whole(self, text):
        return self.stacks(text).keys() >= set(THREADS) and re.search(self.MAIN_SLEEPS, text)

    def check_dump(self, text):
        threads = self.stacks(text)
        for name in THREADS:
            self.assertIn(name, threads, text)
        self.assertRegex(text, self.MAIN_SLEEPS)
        self.assertRegex(text, r"build id [0-9a-f]{16,}")
        addresses = re.findall(r"(?:sparklesworker|exe)\+(0x[0-9a-f]+)", threads["main"])
        self.assertTrue(addresses, threads["main"])
        debug = BINARY + ".debug" if os.path.exists(BINARY + ".debug") else BINARY
        symbolizer = shutil.which("addr2line")
        if not symbolizer:
            self.skipTest("no addr2line")
        functions = subprocess.run([symbolizer, "-fiCe", debug, *addresses], check=True,
                                   capture_output=True, text=True).stdout
        self.assertIn("CurlTransport::Send", functions, threads["main"])
        self.assertIn("TaskRun::Run", functions, threads["main"])

    def test_hung_hand_back_does_not_delay_exit(self):
        url = self.lab.put("input", b"x" * 1000)
        self.fault(kind="object.media", action="stall", seconds=60, response_bytes=100, count=0)
        self.fault(kind="datastore.commit", action="stall", seconds=60, skip=1, count=0)
        self.lab.write_tasks([self.lab.task("a.1", "true", downloads=[
            self.lab.download(url, "input")])])
        worker = self.lab.start_consume(*period(3))
        worker.wait(30)
        self.assertEqual(worker.exit_code, EXIT_STUCK, worker.stderr)
        self.assertIn("a.1 cannot be handed back: ", worker.stderr)
        self.assertEqual(self.lab.states()["a.1"].status, "claimed")

    def test_short_stall_completes_task(self):
        url = self.lab.put("input", b"x" * 1000)
        self.fault(kind="object.media", action="stall", seconds=9, response_bytes=100,
                   count=1)
        self.lab.write_tasks([self.lab.task("a.1", "sleep 1", downloads=[
            self.lab.download(url, "input")])])
        worker = self.lab.consume(*period(6))
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertEqual(worker.stderr.count("no sign of life for 6s"), 1, worker.stderr)
        self.assertIn("watchdog: the worker continues after ", worker.stderr)
        self.assert_once(["a.1"], worker)


class LongWaits(LabTest):
    """Waits that last longer than two watchdog periods of four seconds."""

    PERIOD = period(4)

    def test_long_command_is_no_stall(self):
        worker = self.run_tasks(self.lab.task("a.1", "sleep 10"), flags=self.PERIOD)
        self.assert_complete("a.1")
        self.assertNotIn("watchdog", worker.stderr)

    def test_idle_wait_is_no_stall(self):
        worker = self.run_tasks(self.lab.task("a.1", "true"),
                                flags=(*self.PERIOD, "--shutdownAfter", "10"))
        self.assertNotIn("watchdog", worker.stderr)

    def test_slow_disk_sync_is_no_stall(self):
        strace = shutil.which("strace")
        if SANITIZED or not strace or subprocess.run([strace, "-qq", "-o", "/dev/null", "true"],
                                                     check=False).returncode != 0:
            self.skipTest("needs strace, and the right to trace")
        slow = self.lab.directory / "slow"
        # The first sync is that of the state file, before the watchdog starts.
        slow.write_text(f"#!/bin/sh\nexec {strace} -f -qq -o /dev/null -e trace=fsync "
                        f"-e inject=fsync:delay_enter=7500000:when=2 {BINARY} \"$@\"\n")
        slow.chmod(0o755)
        self.lab.write_tasks([self.lab.task("a.1", "echo x > x")])
        worker = self.lab.consume(*period(3), "--durable", program=slow)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_complete("a.1")
        self.assertNotIn("watchdog", worker.stderr)

    def test_frozen_process_is_no_stall(self):
        self.lab.write_tasks([self.lab.task("a.1", "echo begun > begun; sleep 3")])
        worker = self.lab.start_consume(*self.PERIOD)
        wait_until(lambda: list(self.lab.tasks_dir.rglob("begun")), "the command runs")
        worker.signal(signal.SIGSTOP)
        try:
            time.sleep(10)
        finally:
            worker.signal(signal.SIGCONT)
        self.assertEqual(worker.wait(30).exit_code, 0, worker.stderr)
        self.assertNotIn("watchdog", worker.stderr)


if __name__ == "__main__":
    unittest.main()
