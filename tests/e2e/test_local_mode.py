"""Tests of local mode: the state file, several workers, and their output."""
import fcntl
import json
import os
import pathlib
import shutil
import signal
import struct
import time
import unittest

from harness import LOG_LINE, LabTest, wait_until
from terminal import Screen


class State(LabTest):
    def tasks(self, count):
        """Tasks that append their names to store/ran."""
        ran = self.lab.store / "ran"
        return [self.lab.task(f"t.{n}", f"echo t.{n} >> {ran}") for n in range(1, count + 1)]

    def ran(self):
        path = self.lab.store / "ran"
        return path.read_text().split() if path.exists() else []

    def test_special_state_file_is_named(self):
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        for make in (os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/null", path)):
            make(self.lab.state_file)
            for command in (self.lab.consume_arguments(),
                            ["summary", "--tasksFile", self.lab.tasks_file]):
                worker = self.lab.run(*command, seconds=20)
                self.assertNotEqual(worker.exit_code, 0)
                self.assertIn(str(self.lab.state_file), worker.stderr)
            remove = os.rmdir if self.lab.state_file.is_dir() else os.unlink
            remove(self.lab.state_file)

    def test_second_run_repeats_no_task(self):
        self.run_tasks(*self.tasks(3))
        state = self.lab.state_file.read_bytes()
        self.run_tasks(*self.tasks(3))
        self.assertEqual(sorted(self.ran()), ["t.1", "t.2", "t.3"])
        self.assertEqual(self.lab.state_file.read_bytes(), state)

    def test_next_run_runs_added_tasks(self):
        self.run_tasks(*self.tasks(2))
        self.run_tasks(*self.tasks(4))
        self.assertEqual(self.ran(), ["t.1", "t.2", "t.3", "t.4"])

    def test_deleted_state_starts_over(self):
        self.run_tasks(*self.tasks(2))
        self.lab.state_file.unlink()
        self.run_tasks(*self.tasks(2))
        self.assertEqual(self.ran(), ["t.1", "t.2"] * 2)

    def test_torn_last_line_is_dropped(self):
        self.run_tasks(*self.tasks(1))
        with open(self.lab.state_file, "a", encoding="utf-8") as file:
            file.write('{"task_id": "t.2", "sta')
        self.run_tasks(*self.tasks(2))
        self.assertEqual(self.ran(), ["t.1", "t.2"])
        self.assert_complete("t.2")

    def test_damaged_line_repeats_only_its_task(self):
        self.run_tasks(*self.tasks(3))
        state = self.lab.state_file.read_bytes()
        at = state.index(b'"t.2","status":"complete"')
        self.lab.state_file.write_bytes(state[:at] + b"\0" + state[at + 1:])
        worker = self.run_tasks(*self.tasks(3))
        self.assertRegex(worker.stderr, "WARNING .*tasks.json.state: line 5: .*skipped")
        self.assertEqual(self.ran(), ["t.1", "t.2", "t.3", "t.2"])
        summary = self.lab.run("summary", "--tasksFile", self.lab.tasks_file)
        self.assertEqual(summary.stdout.count(" complete "), 3, summary.stdout)
        self.assertIn("line 5", summary.stderr)

    def test_removed_state_ends_worker(self):
        state = self.lab.state_file
        for command in (f"rm {state}", f": > {state}", f"rm {state}; touch {state}"):
            tasks = self.tasks(2)
            tasks[0]["args"]["command"] += f"; {command}"
            worker = self.run_tasks(*tasks, exit_code=4, seconds=20)
            self.assertRegex(worker.stderr, "ERROR .*tasks.json.state: was ")
            self.assertEqual(self.ran(), ["t.1"], "once")
            (self.lab.store / "ran").unlink()
            state.unlink(missing_ok=True)

    def test_four_workers_run_each_task_once(self):
        self.lab.write_tasks(self.tasks(100))
        workers = [self.lab.start_consume() for _ in range(4)]
        for worker in workers:
            self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        self.assertEqual(sorted(self.ran()), sorted(f"t.{n}" for n in range(1, 101)))
        states = self.lab.states()
        self.assertEqual({state.count("claimed") for state in states.values()}, {1})
        self.assertEqual({state.count("complete") for state in states.values()}, {1})
        self.assertEqual(len(states), 100)

    def test_directory_stays_only_with_keep_tasks(self):  # D46
        self.run_tasks(*self.tasks(1))
        self.assertEqual(list(self.lab.tasks_dir.glob("task-*")), [])
        self.run_tasks(*self.tasks(2), flags=("--keepTasks",))
        directory, = self.lab.tasks_dir.glob("task-*")
        self.assertTrue((directory / "work" / "stdout.txt").is_file())


class Watchdog(LabTest):
    def test_shallow_stack_is_dumped(self):
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        state = pathlib.Path(f"{self.lab.tasks_file}.state")
        with state.open("w") as file:
            # This process holds the write lock. The worker waits for it close to main().
            lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
            fcntl.fcntl(file, 37, lock)  # F_OFD_SETLK, which Python does not define
            for _ in range(3):  # on a busy machine a thread may be too late with its stack
                worker = self.lab.consume("--timeout", "0.005")
                self.assertEqual(worker.exit_code, 6, worker.stderr)
                if "'main': stack" in worker.stderr:
                    break
        self.assertRegex(worker.stderr, "watchdog: thread [0-9]+ 'main': stack")


class WorkerOutput(LabTest):
    """The output of the worker on stdout, stderr and a terminal."""

    def test_text_log_goes_to_stderr(self):
        worker = self.run_tasks(
            self.lab.task("a.1", "echo out; echo err >&2",
                          **{"pre-download-script": "echo script; exit 3"}),
            self.lab.task("a.2", "true", working_dir="no\nwhere"), flags=("--logLevel", "debug"))
        self.assertEqual(worker.stdout, "")
        for line in worker.stderr.splitlines():
            self.assertRegex(line, LOG_LINE)
        self.assertRegex(worker.stderr, r"(?m)^.*\[?a\.1\b")
        self.assertIn("script", worker.stderr)  # output of scripts goes to the worker's log
        self.assertNotIn("\r", worker.stderr)

    def test_json_log_has_fields(self):
        worker = self.run_tasks(self.lab.task("a.1", "true"), self.lab.task("a.2", ""),
                                flags=("--logFormat", "json"))
        self.assertEqual(worker.stdout, "")
        lines = [json.loads(line) for line in worker.stderr.splitlines()]
        self.assertTrue(lines)
        for line in lines:
            self.assertIn(line["severity"], ("DEBUG", "INFO", "WARNING", "ERROR"))
            self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$")
            self.assertIsInstance(line["message"], str)
        self.assertIn("a.1", {line.get("task_id") for line in lines})

    def test_log_level_error_is_silent_on_success(self):
        worker = self.run_tasks(self.lab.task("a.1", "true"), flags=("--logLevel=error",))
        self.assertEqual(worker.stderr, "")

    def test_closed_stderr_does_not_stop_tasks(self):
        read_end, write_end = os.pipe()
        os.close(read_end)
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        worker = self.lab.consume(stderr=write_end)
        os.close(write_end)
        self.assertEqual(worker.exit_code, 0)
        self.assert_complete("a.1")

    def long_transfer(self, **options):
        """Runs a worker and freezes it several times during an upload, which so takes seconds."""
        size = 300_000_000
        self.lab.write_tasks([self.lab.task("big.1", f"head -c {size} /dev/zero > big.bin")])
        for _ in range(5):
            worker = self.lab.start_consume(**options)
            wait_until(lambda worker=worker: self.uploading(worker) or worker.exit_code is not None,
                       "the upload has begun", seconds=60)
            stops = [self.stop(worker, seconds) for seconds in (1.2, 0.8, 0.8)]
            worker.wait()
            self.assertEqual(worker.exit_code, 0)
            if stops[0]:
                return worker
            self.lab.state_file.unlink()
            shutil.rmtree(self.lab.store / "big.1")
        self.fail("each upload was over before it could be stopped")

    def uploading(self, worker):
        for link in pathlib.Path("/proc").glob(f"{worker.pid}/fd/*"):
            try:
                target = os.readlink(link)
            except OSError:
                continue
            if target.startswith(str(self.lab.store / "big.1")) or "/big.bin" in target:
                return True
        return False

    def stop(self, worker, seconds):
        """Freezes the worker for `seconds`. True if it was uploading then."""
        worker.signal(signal.SIGSTOP)
        time.sleep(seconds)
        uploading = self.uploading(worker)
        worker.signal(signal.SIGCONT)
        time.sleep(0.03)
        return uploading

    def test_progress_needs_terminal(self):
        worker = self.long_transfer()
        self.assertNotRegex(worker.stderr, "[\r\x1b]")

    def test_terminal_shows_progress(self):
        main, terminal = os.openpty()
        self.addCleanup(os.close, main)
        self.long_transfer(stderr=terminal)
        os.close(terminal)
        shown = b""
        while True:
            try:
                shown += os.read(main, 65536)
            except OSError:  # EIO: the end of the output
                break
        text = shown.decode()
        self.assertRegex(text, r"\r[^\n]*\d ?[kMG]?B")
        screen = Screen(400, 50)
        screen.feed(shown)
        last = screen.text().rstrip().splitlines()[-1]
        self.assertRegex(last, LOG_LINE)  # the block is erased at the end



if __name__ == "__main__":
    unittest.main()
