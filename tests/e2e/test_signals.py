"""Tests of all signals: each stops or drains the worker, or is ignored, and is logged."""
import signal
import unittest

from harness import LabTest, wait_until

STOPS = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGUSR2: 140, signal.SIGXCPU: 152}
IGNORED = (signal.SIGHUP, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGPWR,
           signal.SIGIO, signal.SIGSTKFLT)
LIBRARY_SIGNALS = (32, 33, 34)  # reserved by the C library
FIRST_REAL_TIME, LAST_SIGNAL = 35, 64


class Signals(LabTest):
    def start_task(self, command):
        self.lab.write_tasks([self.lab.task("a.1", f"echo begun > begun; {command}")])
        worker = self.lab.start_consume()
        wait_until(lambda: list(self.lab.tasks_dir.rglob("begun")), "the command runs")
        return worker

    def test_each_stop_hands_back(self):
        for number, code in STOPS.items():
            with self.subTest(number):
                self.lab.state_file.unlink(missing_ok=True)
                worker = self.start_task("exec sleep 600")
                worker.signal(number)
                self.assertEqual(worker.wait(20).exit_code, code, worker.stderr)
                state = self.lab.states()["a.1"]
                self.assertEqual(state.status, "pending")
                self.assertIn(f"the worker was stopped by {number.name}", worker.stderr)

    def test_other_signals_are_ignored(self):
        gate = self.lab.directory / "gate"
        worker = self.start_task(f"while [ ! -e {gate} ]; do sleep 0.05; done")
        for number in (*IGNORED, *LIBRARY_SIGNALS, *range(FIRST_REAL_TIME, LAST_SIGNAL + 1)):
            worker.signal(number)
        for number in (*IGNORED, FIRST_REAL_TIME, LAST_SIGNAL):
            wait_until(lambda number=number: f"signal {int(number)} (" in worker.stderr,
                       f"{number} is logged")
        gate.touch()
        self.assertEqual(worker.wait(20).exit_code, 0, worker.stderr)
        self.assert_complete("a.1")


if __name__ == "__main__":
    unittest.main()
