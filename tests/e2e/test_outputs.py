"""Tests of the outputs of a task: each matching file is delivered once and unchanged."""
import os
import unittest

from harness import LabTest


class OutputTest(LabTest):
    def deliver(self, command, include=("**",), exclude=(), **changes):
        """Runs the task "o.1", which must complete; returns the relative paths of its outputs."""
        spec_uploads = {"include_patterns": list(include), "exclude_patterns": list(exclude),
                        "dst_url": self.lab.url("o.1")}
        self.run_tasks(self.lab.task("o.1", command, **{"uploads": spec_uploads, **changes}))
        self.assert_complete("o.1")
        self.assert_delivered("o.1")
        return self.lab.outputs("o.1")

    def skipped(self, name="o.1"):
        return {entry["src"]: entry["reason"] for entry in self.lab.result(name)["skipped"]}


class Patterns(OutputTest):
    MAKE = ("mkdir -p d/e .dot; for f in a.csv b.txt c.tsv d/c.csv d/e/f.csv .hidden d/.hid.csv "
            ".dot/x.csv 'we*ird.csv' '[1].csv'; do echo \"$f\" > \"$f\"; done")

    def test_leading_slashes_are_dropped(self):
        self.assertEqual(self.deliver(self.MAKE, include=["/d/*.csv", "//a.csv"]),
                         ["a.csv", "d/.hid.csv", "d/c.csv"])
        self.assertIn('"/d/*.csv" is read as "d/*.csv"', self.lab.log("o.1"))

    def test_unmatched_patterns_are_named(self):
        self.deliver(self.MAKE, include=["a.csv", "*.vcf", "/nowhere/**", "stdout.txt"])
        self.assertEqual(self.lab.result("o.1")["unmatched_patterns"], ["*.vcf", "nowhere/**"])
        self.assertIn('sparkles: no output matches "*.vcf", "nowhere/**"\n', self.lab.log("o.1"))
        summary = self.lab.run("summary", "--tasksFile", self.lab.tasks_file).stdout
        self.assertIn("no output matches *.vcf, nowhere/**", summary)

    def test_patterns_match_as_documented(self):
        everything = [".dot/x.csv", ".hidden", "[1].csv", "a.csv", "b.txt", "c.tsv", "d/.hid.csv",
                      "d/c.csv", "d/e/f.csv", "we*ird.csv"]
        cases = [
            ("**", everything),
            ("*", [".hidden", "[1].csv", "a.csv", "b.txt", "c.tsv", "we*ird.csv"]),
            ("*.{csv,tsv}", ["[1].csv", "a.csv", "c.tsv", "we*ird.csv"]),
            ("?.csv", ["a.csv"]),
            ("[a-b].*", ["a.csv", "b.txt"]),
            ("[^a].*", ["b.txt", "c.tsv"]),
            ("\\[1\\].csv", ["[1].csv"]),
            ("we\\*ird.csv", ["we*ird.csv"]),
            ("d/**", ["d/.hid.csv", "d/c.csv", "d/e/f.csv"]),
            ("d/*", ["d/.hid.csv", "d/c.csv"]),
            ("**/f.csv", ["d/e/f.csv"]),
            ("**/e/**", ["d/e/f.csv"]),
            ("d/**/c.csv", ["d/c.csv"]),
            ("./d//c.csv", ["d/c.csv"]),
            ("d/e/../c.csv", ["d/c.csv"]),
            ("{d/e,.dot}/*.csv", [".dot/x.csv", "d/e/f.csv"]),
            ("d", []),
            ("nothing", []),
        ]
        tasks = [self.lab.task(f"p.{n}", self.MAKE, uploads={
            "include_patterns": [pattern], "dst_url": self.lab.url(f"p.{n}")})
            for n, (pattern, _) in enumerate(cases)]
        self.run_tasks(*tasks)
        for number, (pattern, expected) in enumerate(cases):
            self.assertEqual(self.lab.outputs(f"p.{number}"), expected, pattern)

    def test_excludes_win_over_includes(self):
        found = self.deliver(self.MAKE, include=["*.csv", "**/*.csv", "a*"],
                             exclude=["d/e/**", "[[]*", ".dot/**"])
        self.assertEqual(found, ["a.csv", "d/.hid.csv", "d/c.csv", "we*ird.csv"])
        listed = [file["src"] for file in self.lab.result("o.1")["files"]]
        self.assertEqual(listed, sorted(set(listed)))

    def test_empty_patterns_give_no_outputs(self):
        self.assertEqual(self.deliver(self.MAKE, include=[]), [])

    def test_trailing_dst_url_slashes_are_dropped(self):  # D15
        self.deliver("echo x > x", uploads={"include_patterns": ["**"],
                                            "dst_url": self.lab.url("o.1") + "//"})
        urls = {file["src"]: file["dst_url"] for file in self.lab.result("o.1")["files"]}
        self.assertEqual(urls["x"], self.lab.url("o.1/x"))

    def test_working_dir_does_not_move_outputs(self):
        found = self.deliver("echo x > x", working_dir="sub",
                             **{"pre-download-script": "mkdir sub"})
        self.assertEqual(found, ["sub/x"])

    def test_failed_command_delivers_outputs(self):
        self.run_tasks(self.lab.task("f.1", "echo part > part.txt; exit 3"))
        self.assert_complete("f.1", "3")
        self.assertEqual(self.lab.outputs("f.1"), ["part.txt"])


class UnusualTrees(OutputTest):
    def test_symlink_loops_give_each_file_once(self):  # D06
        found = self.deliver("mkdir d; echo x > d/x; ln -s . l; ln -s .. d/up; ln -s d d2; "
                             "ln -s ../d d/self")
        self.assertEqual(found, ["d/x"])

    def test_link_to_root_uploads_nothing(self):
        found = self.deliver("echo x > x; ln -s / root; ln -s /etc etc")
        self.assertEqual(found, ["x"])
        self.assertIn("root", self.skipped())

    def test_symlinks_to_files_are_followed(self):
        found = self.deliver("echo x > x; ln -s x y; mkdir d; ln -s ../x d/z")
        self.assertEqual(found, ["d/z", "x", "y"])
        self.assertEqual(self.lab.stored("o.1")["d/z"], b"x\n")

    def test_directory_link_is_followed_if_matched(self):
        found = self.deliver("mkdir run-1; echo x > run-1/x.txt; ln -s run-1 latest",
                             include=["latest/*.txt"])
        self.assertEqual(found, ["latest/x.txt"])

    def test_unreadable_files_are_skipped(self):  # D04, D07
        found = self.deliver("ln -s gone dangling; ln -s a b; ln -s b a; mkfifo pipe; "
                             "echo 1 > one; echo 2 > two")
        self.assertEqual(found, ["one", "two"])
        self.assertEqual(sorted(self.skipped()), ["a", "b", "dangling", "pipe"])
        self.assertTrue(all(self.skipped().values()))

    def test_2000_files_arrive(self):
        found = self.deliver("mkdir d; i=0; while [ $i -lt 2000 ]; do echo $i > d/f$i; "
                             "i=$((i+1)); done")
        self.assertEqual(len(found), 2000)

    def test_tree_beyond_path_max_is_not_lost(self):
        dig = "echo top > top; i=0; while [ $i -lt 1500 ]; do mkdir deep && cd -P deep || " \
              "exit 9; i=$((i+1)); done; echo bottom > bottom"
        self.run_tasks(self.lab.task("o.1", dig))
        state = self.lab.states()["o.1"]
        # The path is too long for an object name: the file is delivered or named, but not lost.
        self.assertIn(state.status, ("complete", "failed"))
        if state.status == "failed":
            self.assertIn("deep/deep/", state.failure_reason)
        else:
            self.assertIn("top", self.lab.outputs("o.1"))
            found = self.lab.outputs("o.1") + list(self.skipped())
            self.assertIn("deep/" * 1500 + "bottom", found)
            self.assertEqual(list(self.lab.tasks_dir.glob("task-*")), [])

    def test_tree_of_mode_000_is_removed(self):
        self.deliver("mkdir -p a/b; echo x > a/b/x; chmod 000 a/b/x a/b a", include=[])
        self.assertEqual(list(self.lab.tasks_dir.glob("task-*")), [])

    def test_invalid_object_names_fail_task(self):
        cases = {"newline.1": "$(printf 'line\\nend.txt')", "utf8.1": "$(printf 'bad\\377.txt')",
                 "return.1": "$(printf 'car\\rriage')"}
        self.run_tasks(*[self.lab.task(name, f'echo x > "{file}"; echo y > good.txt')
                         for name, file in cases.items()])
        for name, word in (("newline.1", "line"), ("utf8.1", "bad"), ("return.1", "car")):
            self.assert_failed(name, word)
            self.assertEqual(self.lab.outputs(name), ["good.txt"])
            self.assertNotIn("\n", self.lab.states()[name].failure_reason)

    def test_spaces_and_unicode_are_delivered(self):
        found = self.deliver("mkdir 'sp ace'; touch 'sp ace/ü+&=#?.txt' '100%.txt' -- -rf")
        self.assertEqual(found, ["-rf", "100%.txt", "sp ace/ü+&=#?.txt"])


class Inputs(OutputTest):
    def setUp(self):
        super().setUp()
        content = b"input data\n" * 100
        self.downloads = [
            self.lab.download(self.lab.put_cas(content), "cas.txt", is_cas_key=True),
            self.lab.download(self.lab.put_cas(content), "d/link.txt", is_cas_key=True,
                              symlink_safe=True),
            self.lab.download(self.lab.put("plain", content), "plain.txt"),
        ]

    def deliver_inputs(self, command):
        return self.deliver(command, downloads=self.downloads)

    def test_unchanged_inputs_are_not_delivered(self):
        found = self.deliver_inputs("cat cas.txt d/link.txt plain.txt > out.txt; touch cas.txt")
        self.assertEqual(found, ["out.txt"])

    def test_edit_with_old_mtime_is_delivered(self):  # D12
        found = self.deliver_inputs(
            "for f in cas.txt plain.txt; do touch -r $f stamp; printf X | dd of=$f conv=notrunc "
            "bs=1 count=1 2> /dev/null; touch -r stamp $f; done; rm stamp")
        self.assertEqual(found, ["cas.txt", "plain.txt"])

    def test_edited_inputs_are_delivered(self):
        found = self.deliver_inputs("echo more >> cas.txt; echo new > p; mv p plain.txt")
        self.assertEqual(found, ["cas.txt", "plain.txt"])
        self.assertEqual(self.lab.stored("o.1")["plain.txt"], b"new\n")

    def test_copies_of_inputs_are_outputs(self):
        self.assertEqual(self.deliver_inputs("cp cas.txt copy.txt; mv plain.txt moved.txt"),
                         ["copy.txt", "moved.txt"])

    def test_executable_inputs_run(self):
        program = self.lab.put_cas(b"#!/bin/sh\necho ran\n")
        other = self.lab.put("tool", b"#!/bin/sh\necho ran\n")
        self.deliver("./a; sub/b; ./c", downloads=[
            self.lab.download(program, "a", is_cas_key=True, executable=True),
            self.lab.download(other, "sub/b", executable=True),
            self.lab.download(program, "c", is_cas_key=True, executable=True, symlink_safe=True)])
        self.assertTrue(self.lab.log("o.1").endswith("ran\n" * 3), self.lab.log("o.1"))

    def test_log_starts_with_download_lines(self):
        self.deliver_inputs("echo mine")
        self.assertEqual(self.lab.log("o.1"), "sparkles: Downloading 3 files...\n"
                         "sparkles: download complete.\nmine\n")


class TaskLog(OutputTest):
    """The log is in the work directory, where the command can change it."""

    def test_removed_log_is_delivered(self):
        self.deliver("echo early; rm stdout.txt; echo late")
        self.assertIn("late", self.lab.log("o.1"))

    def test_replaced_log_is_delivered(self):
        self.deliver("echo early; rm stdout.txt; echo own > stdout.txt; echo late")
        self.assertIn("late", self.lab.log("o.1"))

    def test_log_replaced_by_link_is_delivered(self):
        self.deliver("rm stdout.txt; ln -s /etc/passwd stdout.txt; echo late")
        self.assertNotIn("root:", self.lab.log("o.1"))
        os.unlink(self.lab.state_file)
        self.deliver("rm stdout.txt; mkdir stdout.txt; echo late")
        self.assertIn("late", self.lab.log("o.1"))

    def test_truncated_log_is_delivered(self):  # D43
        self.deliver("echo early; : > stdout.txt; echo late")
        self.assertEqual(self.lab.log("o.1"), "late\n")

    def test_stdout_url_moves_log(self):
        self.run_tasks(self.lab.task("o.1", "echo hi", stdout_url=self.lab.url("logs/1.log")))
        self.assertEqual(self.lab.stored("logs"), {"1.log": b"hi\n"})
        self.assertNotIn("stdout.txt", self.lab.stored("o.1"))

    def test_log_bytes_are_unchanged(self):
        self.deliver("printf 'a\\000\\377\\r\\n'")
        self.assertEqual(self.lab.stored("o.1")["stdout.txt"], b"a\0\xff\r\n")


if __name__ == "__main__":
    unittest.main()
