"""Local mode: a tasks file, its state beside it, and any number of workers."""
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import time
import unittest

from harness import LOG_LINE, LabTest, wait_until


class TasksFile(LabTest):
    def assert_unusable(self, *words):
        worker = self.lab.consume()
        self.assertEqual(worker.exit_code, 4, worker.stderr)
        for word in words:
            self.assertIn(word, worker.stderr)
        self.assertNotIn("terminate", worker.stderr)

    def test_missing(self):
        self.assert_unusable("tasks.json", "No such file")

    def test_not_json(self):
        self.lab.tasks_file.write_text('[\n  {"task_id": "a.1",\n   oops')
        self.assert_unusable("tasks.json", "line 3")

    def test_not_an_array(self):
        for text in ('{"command": "true"}', '"x"', "17", "null"):
            self.lab.tasks_file.write_text(text)
            self.assert_unusable("tasks.json", "array")

    def test_empty_file_and_folder(self):
        self.lab.tasks_file.write_text("")
        self.assert_unusable("tasks.json")
        self.lab.tasks_file.unlink()
        self.lab.tasks_file.mkdir()
        self.assert_unusable("tasks.json", "is a directory")

    def test_what_is_no_file_is_refused_by_name(self):
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        for name, word in (("-", "standard input"), ("gs://bucket/tasks.json", "fetch"),
                           (f"file://{self.lab.tasks_file}", "path")):
            for command in (["consume", "--tasksDir", self.lab.tasks_dir, "--cacheDir",
                             self.lab.cache_dir], ["summary"]):
                worker = self.lab.run(*command, "--tasksFile", name)
                self.assertEqual(worker.exit_code, 2, worker.stderr)
                self.assertIn("--tasksFile", worker.stderr)
                self.assertIn(word, worker.stderr)

    def test_json_lines(self):
        lines = [json.dumps(self.lab.task(f"a.{n}", "true")) for n in (1, 2)]
        self.lab.tasks_file.write_text("\n".join(lines))  # without a line end at the end
        worker = self.lab.consume()
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_complete("a.1")
        self.assert_complete("a.2")

    def test_an_empty_array_is_done_at_once(self):
        self.run_tasks()
        self.assertEqual(self.lab.states(), {})

    def test_unusable_elements_are_named_and_the_other_tasks_run(self):
        good = [self.lab.task(f"good.{n}", "true") for n in (1, 2)]
        tasks = [good[0], 17, {"args": good[0]["args"]}, {"task_id": "noargs.1"},
                 {**good[0]}, {"task_id": 5, "args": good[0]["args"]},
                 {"task_id": "", "args": good[0]["args"]}, good[1]]
        worker = self.run_tasks(*tasks, exit_code=4)
        for index in (1, 2, 3, 4, 5, 6):
            self.assertRegex(worker.stderr, rf"tasks\[{index}\]")
        self.assertIn("noargs.1", worker.stderr)
        for word in ("task_id", "args", "good.1"):
            self.assertIn(word, worker.stderr)
        self.assert_complete("good.1")
        self.assert_complete("good.2")
        self.assertEqual(self.lab.states()["good.1"].count("complete"), 1)

    def test_the_old_form(self):
        def entity(index, args):
            return {"task_id": f"job.{index}", "task_index": index, "job_id": "job",
                    "status": "claimed", "owner": "localhost", "args": json.dumps(args),
                    "history": [{"timestamp": 1.5, "status": "pending"}], "cluster": "c",
                    "monitor_address": "", "exit_code": None, "failure_reason": None,
                    "version": 1}

        command = "echo $SPARKLES_TASK_ID $SPARKLES_JOB_ID $SPARKLES_TASK_INDEX"
        self.run_tasks(*[entity(n, self.lab.spec(f"job.{n}", command)) for n in (1, 2)])
        self.assert_complete("job.1")
        self.assertEqual(self.lab.log("job.2"), "job.2 job 2\n")

    def test_nobody_is_asked_for_anything(self):  # D60
        with socket.create_server(("127.0.0.1", 0)) as anybody:
            address = "%s:%d" % anybody.getsockname()
            self.lab.write_tasks([self.lab.task("a.1", "true")])
            worker = self.lab.consume(environment={
                "GOOGLE_APPLICATION_CREDENTIALS": str(self.lab.folder / "missing.json"),
                "GCE_METADATA_HOST": address, "DATASTORE_EMULATOR_HOST": address,
                "STORAGE_EMULATOR_HOST": f"http://{address}", "HTTPS_PROXY": f"http://{address}"})
            self.assertEqual(worker.exit_code, 0, worker.stderr)
            self.assert_complete("a.1")
            anybody.setblocking(False)
            with self.assertRaises(BlockingIOError):
                anybody.accept()

    def test_args_may_be_the_url_of_the_spec(self):
        spec = json.dumps(self.lab.spec("a.1", "echo from far")).encode()
        self.run_tasks({"task_id": "a.1", "args": self.lab.put("specs/1.json", spec)},
                       {"task_id": "a.2", "args": self.lab.url("specs/missing.json")})
        self.assertEqual(self.lab.log("a.1"), "from far\n")
        self.assert_failed("a.2", "missing.json")


class State(LabTest):
    def tasks(self, count):
        """Tasks that tell in store/ran that they ran."""
        ran = self.lab.store / "ran"
        return [self.lab.task(f"t.{n}", f"echo t.{n} >> {ran}") for n in range(1, count + 1)]

    def ran(self):
        path = self.lab.store / "ran"
        return path.read_text().split() if path.exists() else []

    def test_a_state_file_that_is_no_file_is_named(self):
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

    def test_a_second_run_does_nothing_again(self):
        self.run_tasks(*self.tasks(3))
        state = self.lab.state_file.read_bytes()
        self.run_tasks(*self.tasks(3))
        self.assertEqual(sorted(self.ran()), ["t.1", "t.2", "t.3"])
        self.assertEqual(self.lab.state_file.read_bytes(), state)

    def test_added_tasks_are_run_by_the_next_run(self):
        self.run_tasks(*self.tasks(2))
        self.run_tasks(*self.tasks(4))
        self.assertEqual(self.ran(), ["t.1", "t.2", "t.3", "t.4"])

    def test_deleting_the_state_starts_over(self):
        self.run_tasks(*self.tasks(2))
        self.lab.state_file.unlink()
        self.run_tasks(*self.tasks(2))
        self.assertEqual(self.ran(), ["t.1", "t.2"] * 2)

    def test_a_torn_last_line_is_dropped(self):
        self.run_tasks(*self.tasks(1))
        with open(self.lab.state_file, "a", encoding="utf-8") as file:
            file.write('{"task_id": "t.2", "sta')
        self.run_tasks(*self.tasks(2))
        self.assertEqual(self.ran(), ["t.1", "t.2"])
        self.assert_complete("t.2")

    def test_damaged_line_costs_only_its_task(self):
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

    def test_task_that_removes_the_state_ends_it(self):
        state = self.lab.state_file
        for command in (f"rm {state}", f": > {state}", f"rm {state}; touch {state}"):
            tasks = self.tasks(2)
            tasks[0]["args"]["command"] += f"; {command}"
            worker = self.run_tasks(*tasks, exit_code=4, seconds=20)
            self.assertRegex(worker.stderr, "ERROR .*tasks.json.state: was ")
            self.assertEqual(self.ran(), ["t.1"], "once")
            (self.lab.store / "ran").unlink()
            state.unlink(missing_ok=True)

    def test_four_workers_run_each_of_100_tasks_once(self):
        self.lab.write_tasks(self.tasks(100))
        workers = [self.lab.start_consume() for _ in range(4)]
        for worker in workers:
            self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        self.assertEqual(sorted(self.ran()), sorted(f"t.{n}" for n in range(1, 101)))
        states = self.lab.states()
        self.assertEqual({state.count("claimed") for state in states.values()}, {1})
        self.assertEqual({state.count("complete") for state in states.values()}, {1})
        self.assertEqual(len(states), 100)

    def test_a_finished_task_leaves_no_folder_and_keep_tasks_keeps_it(self):  # D46
        self.run_tasks(*self.tasks(1))
        self.assertEqual(list(self.lab.tasks_dir.glob("task-*")), [])
        self.run_tasks(*self.tasks(2), flags=("--keepTasks",))
        folder, = self.lab.tasks_dir.glob("task-*")
        self.assertTrue((folder / "work" / "stdout.txt").is_file())


class Growth(LabTest):
    """The tasks file changes while workers run."""

    def setUp(self):
        super().setUp()
        self.ran = self.lab.store / "ran"

    def task(self, name, command="true"):
        return self.lab.task(name, f"{command}; echo {name} >> {self.ran}")

    def append(self, text):
        with open(self.lab.tasks_file, "a", encoding="utf-8") as file:
            file.write(text)

    def await_end(self, name):
        wait_until(lambda: name in self.lab.states() and
                   self.lab.states()[name].status == "complete", f"{name} is complete")

    def replace(self, tasks):
        new = self.lab.folder / "new.json"
        new.write_text(json.dumps(tasks), encoding="utf-8")
        new.rename(self.lab.tasks_file)

    def test_added_tasks_run_within_the_linger(self):
        self.lab.write_tasks([self.task("t.1")])
        workers = [self.lab.start_consume("--shutdownAfter", "4") for _ in range(2)]
        self.await_end("t.1")
        self.replace([self.task("t.1"), self.task("t.2"), self.task("t.3")])
        for worker in workers:
            self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
            self.assertIn("2 tasks were added", worker.stderr)
        self.assertEqual(sorted(self.ran.read_text().split()), ["t.1", "t.2", "t.3"])

    def test_appended_lines_run_without_linger(self):
        gate = self.lab.folder / "gate"
        wait = f"while ! [ -e {gate} ]; do sleep 0.01; done"
        first, second = (json.dumps(self.task(*each)) for each in (("t.1", wait), ("t.2",)))
        self.append(first + "\n")
        worker = self.lab.start_consume()
        wait_until(lambda: "t.1" in self.lab.states(), "t.1 is claimed")
        self.append(second[:20])
        gate.touch()
        self.await_end("t.1")
        self.append(second[20:] + "\n")
        self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        self.assertEqual(self.ran.read_text().split(), ["t.1", "t.2"])

    def test_changes_and_removals_are_named(self):
        self.lab.write_tasks([self.task("t.1"), self.task("t.2")])
        worker = self.lab.start_consume("--shutdownAfter", "3")
        self.await_end("t.2")
        self.replace([self.task("t.1", "false")])
        self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        self.assertRegex(worker.stderr, "WARNING .*changed: t.1;")
        self.assertRegex(worker.stderr, "WARNING .*removed .*: t.2")
        self.assertEqual(self.ran.read_text().split(), ["t.1", "t.2"])


class Places(LabTest):
    """No two things can be delivered to one place."""

    def test_tasks_with_one_place_are_refused(self):
        tasks = [self.lab.task(f"t.{n}", "echo > out") for n in range(5)]
        url = self.lab.url
        tasks[1]["args"]["command_result_url"] = url("t.0/./result.json")
        tasks[2]["args"]["stdout_url"] = url("t.0/result.json")
        tasks[3]["args"]["uploads"]["dst_url"] = url("t.0/")
        tasks[3]["args"] = json.dumps(tasks[3]["args"])
        worker = self.run_tasks(*tasks, exit_code=4)
        for index, field in ((1, "command_result_url"), (2, "stdout_url"), (3, "uploads.dst_url")):
            self.assertRegex(worker.stderr, rf"tasks\[{index}\] .*{field}: .* used by tasks\[0\]")
        self.assertEqual(sorted(self.lab.states()), ["t.0", "t.4"])
        summary = self.lab.run("summary", "--tasksFile", self.lab.tasks_file)
        self.assertIn("tasks[3]", summary.stderr)
        tasks[3] = self.lab.task("t.3", "true")
        self.lab.write_tasks(tasks)
        self.lab.consume()
        self.assert_complete("t.3")  # once it is mended

    def test_tasks_without_outputs_may_share_a_prefix(self):
        tasks = [self.lab.task(f"t.{n}", "true") for n in range(2)]
        for task in tasks:
            task["args"]["uploads"] = {"include_patterns": [], "dst_url": self.lab.url("x")}
        self.run_tasks(*tasks)

    def test_output_in_the_way_of_the_result_fails(self):
        below = self.lab.task("t.1", "mkdir result.json; echo > result.json/x; echo > good")
        above = self.lab.task("t.2", "echo > out; echo > good",
                              command_result_url=self.lab.url("t.2/out/result.json"))
        self.run_tasks(below, above)
        self.assert_failed("t.1", "output result.json/x: its place")
        self.assert_failed("t.2", "output out: its place")
        self.assertEqual(self.lab.outputs("t.1"), ["good"])
        self.assertIn("its place", self.lab.result("t.1")["failure_reason"])
        self.assertTrue((self.lab.store / "t.2/out/result.json").is_file())


class Watchdog(LabTest):
    def test_a_stack_that_is_shallow_is_looked_at_without_harm(self):
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        state = pathlib.Path(f"{self.lab.tasks_file}.state")
        with state.open("w") as file:
            # The right to append, in somebody else's hands: waited for little below main().
            lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
            fcntl.fcntl(file, 37, lock)  # F_OFD_SETLK, which Python has no name for
            for _ in range(3):  # a thread that has to wait for a processor shows no stack in time
                worker = self.lab.consume("--timeout", "0.005")
                self.assertEqual(worker.exit_code, 6, worker.stderr)
                if "'main': stack" in worker.stderr:
                    break
        self.assertRegex(worker.stderr, "watchdog: thread [0-9]+ 'main': stack")


class Voice(LabTest):
    """What is printed, and where."""

    def test_text_log_is_lines_on_stderr_and_stdout_is_empty(self):
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

    def test_json_log(self):
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

    def test_log_level_error_is_silent_when_all_is_well(self):
        worker = self.run_tasks(self.lab.task("a.1", "true"), flags=("--logLevel=error",))
        self.assertEqual(worker.stderr, "")

    def test_a_closed_stderr_does_not_stop_the_work(self):
        read_end, write_end = os.pipe()
        os.close(read_end)
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        worker = self.lab.consume(stderr=write_end)
        os.close(write_end)
        self.assertEqual(worker.exit_code, 0)
        self.assert_complete("a.1")

    def long_transfer(self, **options):
        """The ended worker of a task whose upload lasted seconds: it was stopped in its midst."""
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
        """True if it was stopped amid its upload."""
        worker.signal(signal.SIGSTOP)
        time.sleep(seconds)
        uploading = self.uploading(worker)
        worker.signal(signal.SIGCONT)
        time.sleep(0.03)
        return uploading

    def test_no_progress_line_without_a_terminal(self):
        worker = self.long_transfer()
        self.assertNotRegex(worker.stderr, "[\r\x1b]")

    def test_a_long_transfer_shows_progress_on_a_terminal(self):
        main, terminal = os.openpty()
        self.addCleanup(os.close, main)
        self.long_transfer(stderr=terminal)
        os.close(terminal)
        shown = b""
        while True:
            try:
                shown += os.read(main, 65536)
            except OSError:  # EIO: all that was written has been read
                break
        text = shown.decode()
        self.assertRegex(text, r"\r[^\n]*\d ?[kMG]?B")
        last = re.split(r"[\r\n]+", text.rstrip("\r\n\x1b[K"))[-1]
        self.assertRegex(last, LOG_LINE)  # what remains on the screen is a log line


if __name__ == "__main__":
    unittest.main()
