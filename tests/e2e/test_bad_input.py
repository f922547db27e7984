"""Tests of invalid and hostile task specs: each fails only its own task and names the field."""
import hashlib
import json
import os
import pathlib
import unittest

from harness import LabTest

LONG_NAME = "n" * 256
CAS = "cas/" + "0" * 64


def download(**changes):
    good = {"src_url": "{store}plain.txt", "dst": "in.txt", "executable": False,
            "is_cas_key": False, "symlink_safe": False}
    return {key: value for key, value in {**good, **changes}.items() if value is not Ellipsis}


def uploads(**changes):
    good = {"include_patterns": ["**"], "exclude_patterns": [], "dst_url": "{store}out"}
    return {key: value for key, value in {**good, **changes}.items() if value is not Ellipsis}


# (change of a good spec, word in the failure reason). Ellipsis removes the key.
BAD_SPECS = [
    # the command
    ({"command": ...}, "command"),
    ({"command": None}, "command"),
    ({"command": ""}, "command"),
    ({"command": 17}, "command"),
    ({"command": ["echo", "x"]}, "command"),
    ({"command": "echo \0 x"}, "command"),
    ({"command": "true #" + "x" * 200_000}, "command"),
    # the work directory
    ({"working_dir": ".."}, "working_dir"),
    ({"working_dir": "a/../../b"}, "working_dir"),
    ({"working_dir": "/tmp"}, "working_dir"),
    ({"working_dir": "/"}, "working_dir"),
    ({"working_dir": 5}, "working_dir"),
    ({"working_dir": "a\0b"}, "working_dir"),
    ({"working_dir": "nowhere"}, "nowhere"),
    # scripts
    ({"pre-download-script": 1}, "pre-download-script"),
    ({"post-download-script": []}, "post-download-script"),
    ({"pre-exec-script": {}}, "pre-exec-script"),
    ({"post-exec-script": "a\0b"}, "post-exec-script"),
    # parameters
    ({"parameters": [1]}, "parameters"),
    ({"parameters": "index=1"}, "parameters"),
    # downloads
    ({"downloads": {}}, "downloads"),
    ({"downloads": "x"}, "downloads"),
    ({"downloads": [None]}, "downloads[0]"),
    ({"downloads": [download(), 3]}, "downloads[1]"),
    ({"downloads": [download(src_url=...)]}, "downloads[0].src_url"),
    ({"downloads": [download(src_url="")]}, "downloads[0].src_url"),
    ({"downloads": [download(src_url=1)]}, "downloads[0].src_url"),
    ({"downloads": [download(src_url="http://example.com/x")]}, "http://example.com/x"),
    ({"downloads": [download(src_url="plain.txt")]}, "plain.txt"),
    ({"downloads": [download(src_url="file://host/x")]}, "file://host/x"),
    ({"downloads": [download(dst=...)]}, "downloads[0].dst"),
    ({"downloads": [download(dst="")]}, "downloads[0].dst"),
    ({"downloads": [download(dst=".")]}, "downloads[0].dst"),
    ({"downloads": [download(dst="../evil")]}, "downloads[0].dst"),
    ({"downloads": [download(dst="a/../../evil")]}, "downloads[0].dst"),
    ({"downloads": [download(dst="{canary}/evil")]}, "downloads[0].dst"),
    ({"downloads": [download(dst="a\0b")]}, "downloads[0].dst"),
    ({"downloads": [download(dst="stdout.txt")]}, "downloads[0].dst"),
    ({"downloads": [download(dst="./stdout.txt")]}, "downloads[0].dst"),
    ({"downloads": [download(dst=LONG_NAME)]}, "downloads[0].dst"),
    ({"downloads": [download(dst=7)]}, "downloads[0].dst"),
    ({"downloads": [download(executable="yes")]}, "downloads[0].executable"),
    ({"downloads": [download(is_cas_key=1)]}, "downloads[0].is_cas_key"),
    ({"downloads": [download(symlink_safe="no")]}, "downloads[0].symlink_safe"),
    ({"downloads": [download(), download(src_url="{store}other.txt")]}, "downloads[1]"),
    ({"downloads": [download(dst="a"), download(dst="b/../a", src_url="{store}other.txt")]},
     "downloads[1]"),
    ({"downloads": [download(dst="a"), download(dst="a/b")]}, "downloads[1]"),
    # uploads
    ({"uploads": "x"}, "uploads"),
    ({"uploads": []}, "uploads"),
    ({"uploads": uploads(dst_url=...)}, "uploads.dst_url"),
    ({"uploads": uploads(dst_url=None)}, "uploads.dst_url"),
    ({"uploads": uploads(dst_url=3)}, "uploads.dst_url"),
    ({"uploads": uploads(dst_url="elsewhere")}, "elsewhere"),
    ({"uploads": uploads(dst_url="ftp://x/y")}, "ftp://x/y"),
    ({"uploads": uploads(include_patterns="**")}, "uploads.include_patterns"),
    ({"uploads": uploads(include_patterns=[None])}, "uploads.include_patterns[0]"),
    ({"uploads": uploads(include_patterns=["*", "../*"])}, "uploads.include_patterns[1]"),
    ({"uploads": uploads(include_patterns=["/../*"])}, "uploads.include_patterns[0]"),
    ({"uploads": uploads(include_patterns=["[oops"])}, "uploads.include_patterns[0]"),
    ({"uploads": uploads(include_patterns=["a{b,c"])}, "uploads.include_patterns[0]"),
    ({"uploads": uploads(include_patterns=["a\\"])}, "uploads.include_patterns[0]"),
    ({"uploads": uploads(exclude_patterns=["[]"])}, "uploads.exclude_patterns[0]"),
    ({"uploads": uploads(exclude_patterns=["ok", 5])}, "uploads.exclude_patterns[1]"),
    ({"uploads": uploads(exclude_patterns=["a/../../b"])}, "uploads.exclude_patterns[0]"),
    # destinations of results
    ({"command_result_url": 1}, "command_result_url"),
    ({"stdout_url": {}}, "stdout_url"),
]

# args that are not a spec.
BAD_ARGS = ["", "{", "[]", "null", "{\"command\": }", "{\"command\": \"true\"} trailing",
            "not a url", "{" + "\"a\":{" * 5000 + "}" * 5001,
            '{"command": "\\ud83d"}', 5, None, [], True]


def fill(value, places):
    """`value` with {store} and {canary} in its strings replaced."""
    if isinstance(value, str):
        for key, text in places.items():
            value = value.replace("{" + key + "}", text)
        return value
    if isinstance(value, list):
        return [fill(item, places) for item in value]
    if isinstance(value, dict):
        return {key: fill(item, places) for key, item in value.items() if item is not Ellipsis}
    return value


def snapshot(directory):
    """The modes, times and contents of all files below `directory`, to detect changes."""
    return {str(path): (path.lstat().st_mode, path.lstat().st_mtime_ns,
                        path.read_bytes() if path.is_file() else b"")
            for path in sorted(pathlib.Path(directory).rglob("*"))}


class BadInputTest(LabTest):
    def setUp(self):
        super().setUp()
        self.lab.put("plain.txt", b"plain\n")
        self.lab.put("other.txt", b"other\n")
        self.canary = self.lab.directory / "canary"
        (self.canary / "folder").mkdir(parents=True)
        (self.canary / "file").write_text("precious")
        self.before = snapshot(self.canary)

    def run_all(self, *tasks, exit_code=0):
        """Runs `tasks` and then a good task, which must complete."""
        self.run_tasks(*tasks, self.lab.task("good.1", "echo fine"), exit_code=exit_code)
        self.assert_complete("good.1")
        self.assertEqual(self.lab.log("good.1"), "fine\n")
        self.assertEqual(snapshot(self.canary), self.before)
        self.assertFalse((self.lab.tasks_dir / "evil").exists())
        self.assertFalse((self.lab.store / "ran").exists(), "a command ran that should not have")


class MalformedSpecs(BadInputTest):
    def test_malformed_spec_failure_names_field(self):  # D08, D30
        places = {"store": self.lab.url(""), "canary": str(self.canary)}
        ran = f"echo x > {self.lab.store}/ran"
        tasks = []
        for number, (changes, _) in enumerate(BAD_SPECS):
            spec = {**self.lab.spec(f"bad.{number}", ran), **changes}
            tasks.append({"task_id": f"bad.{number}", "args": fill(spec, places)})
        self.run_all(*tasks)
        states = self.lab.states()
        for number, (changes, field) in enumerate(BAD_SPECS):
            with self.subTest(number=number, changes=str(changes)[:80]):
                state = states[f"bad.{number}"]
                self.assertEqual(state.status, "failed", state.lines)
                self.assertIn(field, state.failure_reason)
                self.assertLess(len(state.failure_reason), 2000)

    def test_invalid_args_fail_only_their_task(self):
        tasks = [{"task_id": f"bad.{n}", "args": args} for n, args in enumerate(BAD_ARGS)]
        self.lab.write_tasks(tasks + [self.lab.task("good.1", "true")])
        worker = self.lab.consume()
        self.assertIn(worker.exit_code, (0, 4), worker.stderr)
        states = self.lab.states()
        self.assertEqual(states["good.1"].status, "complete")
        for number, args in enumerate(BAD_ARGS):
            name = f"bad.{number}"
            if name in states:
                self.assertEqual(states[name].status, "failed", args)
                self.assertTrue(states[name].failure_reason)
            else:  # refused when the worker reads the tasks file
                self.assertIn(f"tasks[{number}]", worker.stderr)

    def test_absent_and_null_values_are_allowed(self):
        def bare(name):
            return {"command": "echo bare", "stdout_url": self.lab.url(f"{name}/stdout.txt")}

        nulls = dict.fromkeys(self.lab.spec("x", ""), None)
        self.run_all(
            {"task_id": "bare.1", "args": bare("bare.1")},
            {"task_id": "nulls.1", "args": {**nulls, **bare("nulls.1"), "pre-exec-script": None}},
            {"task_id": "nulls.2", "args": {**bare("nulls.2"), "uploads": {
                "include_patterns": None, "exclude_patterns": None, "dst_url": None}}},
            {"task_id": "more.1",
             "args": {**bare("more.1"), "from the future": [1, {"a": None}]}})
        for name in ("bare.1", "nulls.1", "nulls.2", "more.1"):
            self.assert_complete(name)
            self.assertEqual(self.lab.log(name), "bare\n")

    def test_failed_task_has_log_and_result(self):  # D27
        self.run_all(self.lab.task("f.1", "true", downloads=[
            self.lab.download(self.lab.url("missing"), "x")]))
        reason = self.lab.states()["f.1"].failure_reason
        self.assertIn("missing", reason)
        self.assertEqual(self.lab.result("f.1")["failure_reason"], reason)
        self.assertRegex(self.lab.log("f.1"), r"(?m)^sparkles: .*missing")


class HostileTasks(BadInputTest):
    """Valid specs whose scripts or commands try to reach outside of the work directory."""

    def trap(self, script, **changes):
        return self.lab.task("trap.1", "true", **{"pre-download-script": script, **changes})

    def input(self, dst):
        return [self.lab.download(self.lab.url("plain.txt"), dst)]

    def test_dst_through_symlink_fails(self):
        self.run_all(self.trap(f"ln -s {self.canary} out", downloads=self.input("out/evil")))
        self.assert_failed("trap.1", "out/evil")

    def test_dst_through_chained_symlinks_fails(self):
        self.run_all(self.trap("ln -s ../../.. up; ln -s up/canary out",
                               downloads=self.input("out/folder/evil")))
        self.assert_failed("trap.1", "out/folder/evil")

    def test_dangling_dst_symlink_writes_nothing(self):
        self.run_all(self.trap(f"ln -s {self.canary}/evil in.txt", downloads=self.input("in.txt")))

    def test_existing_dst_is_kept(self):  # D09
        self.run_all(self.trap("echo own > in.txt", downloads=self.input("in.txt")))
        self.assert_complete("trap.1")
        self.assertEqual(self.lab.stored("trap.1")["in.txt"], b"own\n")

    def test_dst_below_file_fails(self):
        self.run_all(self.trap("echo own > file", downloads=self.input("file/in.txt")))
        self.assert_failed("trap.1", "file/in.txt")

    def test_working_dir_through_symlink_fails(self):
        command = f"echo x > {self.lab.store}/ran; echo x > evil"
        self.run_all(self.lab.task("trap.1", command, working_dir="w", **{
            "pre-download-script": f"ln -s {self.canary} w"}))
        self.assert_failed("trap.1", "working_dir")

    def test_replaced_work_directory_is_contained(self):
        """A task must not damage anything outside of its directory."""
        self.run_all(self.trap(f'w=$PWD; cd ..; mv "$w" gone; ln -s {self.canary} "$w"',
                               downloads=self.input("evil")))

    def test_cas_input_through_symlink_fails(self):
        url = self.lab.put_cas(b"program")
        self.run_all(self.trap(f"ln -s {self.canary} out", downloads=[
            self.lab.download(url, "out/evil", is_cas_key=True, executable=True)]))
        self.assert_failed("trap.1", "out/evil")

    def test_pattern_never_matches_outside(self):
        self.run_all(self.trap(f"ln -s {self.canary} c", uploads={
            "include_patterns": ["c/**", "c/file"], "dst_url": self.lab.url("trap.1")}))
        self.assert_complete("trap.1")
        self.assertEqual(self.lab.outputs("trap.1"), [])

    def test_fifo_as_log_destination_fails(self):
        place = self.lab.directory / "store" / "pipe"
        place.parent.mkdir(exist_ok=True)
        os.mkfifo(place)
        self.run_all(self.trap("true", stdout_url=self.lab.url("pipe")))
        self.assert_failed("trap.1", "pipe", "not a regular file")
        self.assertTrue(place.is_fifo())

    def test_output_replacing_log_or_result_fails(self):
        tasks = [self.lab.task(name, f"echo mine > {name}", uploads={
            "include_patterns": ["**"], "dst_url": self.lab.url(f"of-{name}")},
            command_result_url=self.lab.url(f"of-{name}/result.json"),
            stdout_url=self.lab.url(f"of-{name}/log.txt")) for name in ("result.json", "log.txt")]
        self.run_all(*tasks)
        for task in tasks:
            self.assert_failed(task["task_id"], task["task_id"], "place")

    def test_invalid_destinations_fail_early(self):
        ran = self.lab.directory / "ran"
        changes = ({"uploads": {"include_patterns": ["*"], "dst_url": "file:///a/../b"}},
                   {"stdout_url": "file:///a/"}, {"command_result_url": "file:///a/../b"})
        self.run_all(*(self.lab.task(f"bad.{number}", f"touch {ran}", **change)
                       for number, change in enumerate(changes)))
        for number in range(3):
            self.assert_failed(f"bad.{number}", "file:///a/")
        self.assertFalse(ran.exists())

    def test_fifo_as_script_log_is_tolerated(self):
        self.run_all(self.trap("rm ../log/*; mkfifo ../log/pre-download-script.txt"))
        self.assert_complete("trap.1")

    def test_killing_launcher_fails_only_that_task(self):
        self.run_all(self.lab.task("trap.1", "kill -9 $PPID"), self.lab.task("fine.1", "true"))
        self.assert_failed("trap.1", "killed")
        self.assert_complete("fine.1")

    def test_stopped_launcher_completes_task(self):
        self.run_all(self.lab.task("trap.1", "kill -STOP $PPID"), self.lab.task("fine.1", "true"))
        self.assert_complete("trap.1")
        self.assert_complete("fine.1")

    def test_removed_directories_fail_only_that_task(self):
        directories = f"{self.lab.tasks_dir} {self.lab.cache_dir}"
        self.run_all(self.lab.task("trap.1", f"rm -rf {directories}"),
                     self.lab.task("fine.1", "true"))
        self.assertEqual(self.lab.states()["trap.1"].status, "failed")
        self.assert_complete("fine.1")

    def test_removed_script_logs_are_tolerated(self):
        self.run_all(self.trap("rm -rf ../log", **{"post-exec-script": "touch ../after"}))
        self.assert_complete("trap.1")

    def test_replaced_log_directory_fails_next_script(self):
        self.run_all(self.trap("rm -rf ../log; echo >../log", **{"pre-exec-script": "true"}))
        self.assert_failed("trap.1", "script", "log")

    def test_post_exec_script_runs_without_log(self):
        self.run_all(self.trap("rm -rf ../log; echo >../log",
                               **{"post-exec-script": "touch after"}))
        self.assert_complete("trap.1")
        self.assertIn("after", self.lab.outputs("trap.1"))

    def test_removal_follows_no_symlink(self):
        self.run_all(self.trap(f"ln -s {self.canary} c; mkdir d; ln -s {self.canary}/file d/f"))
        self.assertEqual(list(self.lab.tasks_dir.glob("task-*")), [])

    def test_hostile_patterns_end_quickly(self):
        name = "a" * 200
        self.run_all(self.trap(f"touch {name}", uploads={
            "include_patterns": ["a*" * 60 + "b", "{a,a}" * 30 + "b", "**/" * 200 + "x"],
            "dst_url": self.lab.url("trap.1")}))
        self.assert_complete("trap.1")

    def test_task_id_is_not_used_as_path(self):
        ids = ["../../canary/evil.1", "/abs/olute.1", "a b.1", "-rf.1", "ü.1"]
        self.run_all(*[{"task_id": name, "args": self.lab.spec(f"odd{number}", "true")}
                       for number, name in enumerate(ids)])
        states = self.lab.states()
        for name in ids:
            self.assertEqual(states[name].status, "complete", name)

    def test_cas_name_is_not_used_as_path(self):
        digest = hashlib.sha256(b"x").hexdigest()
        url = self.lab.put(f"cas/{digest.upper()}", b"x")
        self.run_all(self.lab.task("up.1", "cat x", downloads=[
            self.lab.download(url, "x", is_cas_key=True)]))
        self.assert_complete("up.1")
        self.assertTrue(all("/" not in path.name for path in self.lab.cache_dir.iterdir()))

    def test_args_may_be_text_or_object(self):
        specs = [self.lab.spec(name, "echo same") for name in ("a.1", "a.2")]
        self.run_all({"task_id": "a.1", "args": json.dumps(specs[0])},
                     {"task_id": "a.2", "args": specs[1]})
        self.assert_complete("a.1")
        self.assert_complete("a.2")


if __name__ == "__main__":
    unittest.main()
