"""Tests of the tasks file: its forms, its errors, and its changes while workers run."""
import json
import socket
import unittest

from harness import LabTest, wait_until


class TasksFile(LabTest):
    def assert_unusable(self, *words):
        worker = self.lab.consume()
        self.assertEqual(worker.exit_code, 4, worker.stderr)
        for word in words:
            self.assertIn(word, worker.stderr)
        self.assertNotIn("terminate", worker.stderr)

    def test_missing_file_is_named(self):
        self.assert_unusable("tasks.json", "No such file")

    def test_invalid_json_names_line(self):
        self.lab.tasks_file.write_text('[\n  {"task_id": "a.1",\n   oops')
        self.assert_unusable("tasks.json", "line 3")

    def test_non_array_is_refused(self):
        for text in ('{"command": "true"}', '"x"', "17", "null"):
            self.lab.tasks_file.write_text(text)
            self.assert_unusable("tasks.json", "array")

    def test_empty_file_or_directory_is_refused(self):
        self.lab.tasks_file.write_text("")
        self.assert_unusable("tasks.json")
        self.lab.tasks_file.unlink()
        self.lab.tasks_file.mkdir()
        self.assert_unusable("tasks.json", "is a directory")

    def test_special_paths_are_refused(self):
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        for name, word in (("-", "standard input"), ("gs://bucket/tasks.json", "fetch"),
                           (f"file://{self.lab.tasks_file}", "path")):
            for command in (["consume", "--tasksDir", self.lab.tasks_dir, "--cacheDir",
                             self.lab.cache_dir], ["summary"]):
                worker = self.lab.run(*command, "--tasksFile", name)
                self.assertEqual(worker.exit_code, 2, worker.stderr)
                self.assertIn("--tasksFile", worker.stderr)
                self.assertIn(word, worker.stderr)

    def test_json_lines_are_read(self):
        lines = [json.dumps(self.lab.task(f"a.{n}", "true")) for n in (1, 2)]
        self.lab.tasks_file.write_text("\n".join(lines))  # no newline at the end
        worker = self.lab.consume()
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_complete("a.1")
        self.assert_complete("a.2")

    def test_empty_array_ends_at_once(self):
        self.run_tasks()
        self.assertEqual(self.lab.states(), {})

    def test_invalid_entries_are_named(self):
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

    def test_tasks_file_of_go_worker_is_accepted(self):
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

    def test_local_mode_contacts_no_server(self):  # D60
        with socket.create_server(("127.0.0.1", 0)) as anybody:
            address = "%s:%d" % anybody.getsockname()
            self.lab.write_tasks([self.lab.task("a.1", "true")])
            worker = self.lab.consume(environment={
                "GOOGLE_APPLICATION_CREDENTIALS": str(self.lab.directory / "missing.json"),
                "GCE_METADATA_HOST": address, "DATASTORE_EMULATOR_HOST": address,
                "STORAGE_EMULATOR_HOST": f"http://{address}", "HTTPS_PROXY": f"http://{address}"})
            self.assertEqual(worker.exit_code, 0, worker.stderr)
            self.assert_complete("a.1")
            anybody.setblocking(False)
            with self.assertRaises(BlockingIOError):
                anybody.accept()

    def test_args_may_be_spec_url(self):
        spec = json.dumps(self.lab.spec("a.1", "echo from far")).encode()
        self.run_tasks({"task_id": "a.1", "args": self.lab.put("specs/1.json", spec)},
                       {"task_id": "a.2", "args": self.lab.url("specs/missing.json")})
        self.assertEqual(self.lab.log("a.1"), "from far\n")
        self.assert_failed("a.2", "missing.json")


    def test_spec_by_url_may_be_large(self):
        download = self.lab.download(self.lab.put("in", b"x"), "in")
        spec = self.lab.spec("a.1", "cat in", downloads=[download] * 200_000)
        url = self.lab.put("spec.json", json.dumps(spec).encode())
        self.assertGreater((self.lab.store / "spec.json").stat().st_size, 16 << 20)
        self.run_tasks({"task_id": "a.1", "args": url})
        self.assertEqual(self.lab.log("a.1").splitlines()[-1], "x")


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
        new = self.lab.directory / "new.json"
        new.write_text(json.dumps(tasks), encoding="utf-8")
        new.rename(self.lab.tasks_file)

    def test_added_tasks_run_within_the_linger(self):
        # Each task waits for the other, so both workers have read the file when they complete.
        first = [self.task(f"t.{n}", f"touch {self.lab.directory}/{n}; "
                           f"while ! [ -e {self.lab.directory}/{1 - n} ]; do sleep 0.01; done")
                 for n in (0, 1)]
        self.lab.write_tasks(first)
        workers = [self.lab.start_consume("--shutdownAfter", "4") for _ in range(2)]
        self.await_end("t.0")
        self.await_end("t.1")
        self.replace([*first, self.task("t.2"), self.task("t.3")])
        for worker in workers:
            self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
            self.assertIn("2 tasks were added", worker.stderr)
        self.assertEqual(sorted(self.ran.read_text().split()), ["t.0", "t.1", "t.2", "t.3"])

    def test_appended_lines_run_without_linger(self):
        gate = self.lab.directory / "gate"
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


class SharedDestinations(LabTest):
    """Two tasks must not write the same object."""

    def test_shared_destination_is_refused(self):
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
        self.assert_complete("t.3")  # after its correction

    def test_tasks_without_outputs_may_share_a_prefix(self):
        tasks = [self.lab.task(f"t.{n}", "true") for n in range(2)]
        for task in tasks:
            task["args"]["uploads"] = {"include_patterns": [], "dst_url": self.lab.url("x")}
        self.run_tasks(*tasks)

    def test_output_blocking_result_fails(self):
        below = self.lab.task("t.1", "mkdir result.json; echo > result.json/x; echo > good")
        above = self.lab.task("t.2", "echo > out; echo > good",
                              command_result_url=self.lab.url("t.2/out/result.json"))
        self.run_tasks(below, above)
        self.assert_failed("t.1", "output result.json/x: its place")
        self.assert_failed("t.2", "output out: its place")
        self.assertEqual(self.lab.outputs("t.1"), ["good"])
        self.assertIn("its place", self.lab.result("t.1")["failure_reason"])
        self.assertTrue((self.lab.store / "t.2/out/result.json").is_file())


if __name__ == "__main__":
    unittest.main()
