"""Tests of faults of the machine: full disks, bad inputs, blocked destinations, signals.

Each test checks that results list only delivered files and that the next run can continue.
"""
import hashlib
import os
import resource
import shutil
import signal
import subprocess
import time
import unittest

from harness import BINARY, SLOWNESS, LabTest, state_of, wait_until


class FaultTest(LabTest):
    def assert_handed_back(self, name, *words):
        state = self.lab.states()[name]
        self.assertEqual((state.status, state.owner), ("pending", None), state.lines)
        self.assertEqual(state.lines[-1].get("history"), "reset")
        for word in words:
            self.assertIn(word, state.failure_reason)


def private_mounts():
    """Moves this process into its own mount namespace; False if that is not allowed."""
    import ctypes
    clone_newns = 0x00020000
    if ctypes.CDLL(None).unshare(clone_newns) != 0:
        return False
    return os.system("mount --make-rprivate / 2> /dev/null") == 0


class FullDisk(FaultTest):
    def setUp(self):
        super().setUp()
        if os.geteuid() != 0 or not private_mounts():
            self.skipTest("needs the right to mount a small file system")

    def small_disk(self, path, kilobytes=1024):
        path.mkdir(parents=True, exist_ok=True)
        if os.system(f"mount -t tmpfs -o size={kilobytes}k none {path}") != 0:
            self.skipTest("cannot mount a small file system")
        self.addCleanup(os.system, f"umount -l {path}")

    def run_out_of_space(self, tasks):
        worker = self.run_tasks(*tasks, exit_code=5)
        self.assertIn("No space left on device", worker.stderr)
        for name, state in self.lab.states().items():
            self.assertEqual(state.status, "pending", state.lines)
            self.assertEqual(state.count("complete") + state.count("failed"), 0, name)

    def test_full_cache_disk_hands_back(self):
        self.small_disk(self.lab.cache_dir)
        url = self.lab.put_cas(os.urandom(3_000_000))
        tasks = [self.lab.task(f"a.{n}", "true", downloads=[
            self.lab.download(url, "x", is_cas_key=True)]) for n in range(8)]
        self.run_out_of_space(tasks)
        self.assertEqual(sum(len(state.lines) for state in self.lab.states().values()), 10,
                         "claims and hand-backs until the worker saw that it is the machine")

    def test_full_tasks_disk_hands_back(self):
        self.small_disk(self.lab.tasks_dir)
        url = self.lab.put("big", os.urandom(3_000_000))
        self.run_out_of_space([self.lab.task(f"a.{n}", "true", downloads=[
            self.lab.download(url, "x")]) for n in range(6)])

    def test_full_destination_disk_hands_back(self):
        self.small_disk(self.lab.store / "out")
        tasks = [self.lab.task(f"out/{n}", "head -c 3000000 /dev/zero > big") for n in range(6)]
        self.run_out_of_space(tasks)
        for number in range(6):
            self.assertNotIn("big", self.lab.stored(f"out/{number}"))

    def test_next_run_completes_with_more_space(self):
        self.small_disk(self.lab.cache_dir)
        url = self.lab.put_cas(os.urandom(3_000_000))
        task = self.lab.task("a.1", "wc -c < x", downloads=[
            self.lab.download(url, "x", is_cas_key=True)])
        self.run_out_of_space([task])
        os.system(f"mount -o remount,size=8m {self.lab.cache_dir}")
        self.run_tasks(task)
        self.assert_complete("a.1")

    def test_command_that_fills_disk_is_complete(self):
        self.small_disk(self.lab.tasks_dir)
        self.run_tasks(self.lab.task("a.1", "head -c 3000000 /dev/zero > big 2> /dev/null; s=$?; "
                                     "rm big; exit $s"))
        self.assert_complete("a.1", "1")

    def test_failure_is_recorded_on_full_disk(self):
        self.small_disk(self.lab.tasks_dir)
        name = "two\nlines"
        fill = "cat /dev/zero > big 2> /dev/null"
        self.run_tasks(self.lab.task("a.1", f"{fill}; exec sleep 1000", uploads={}),
                       self.lab.task("a.2", f"touch '{name}'; {fill}; exit 0", uploads={
                           "include_patterns": ["two*"], "dst_url": self.lab.url("a.2")}),
                       flags=("--taskTimeout", "5", "--minFreeSpace", "0"))
        self.assert_failed("a.1", "time-out")
        self.assertIn("time-out", self.lab.result("a.1")["failure_reason"])
        self.assertEqual(self.lab.log("a.1"), "")
        self.assert_failed("a.2", "no store can keep it")
        self.assertIn("no store", self.lab.result("a.2")["failure_reason"])

    def test_exhausted_inodes_keep_task_complete(self):
        self.small_disk(self.lab.tasks_dir)
        os.system(f"mount -o remount,nr_inodes=300 {self.lab.tasks_dir}")
        self.run_tasks(self.lab.task(
            "a.1",
            "i=0; while [ $i -lt 400 ]; do true > $i; i=$((i + 1)); done 2> /dev/null; exit 3",
            uploads={}, **{"post-exec-script": "ls -al"}))
        self.assert_complete("a.1", "3")


class UnprivilegedWorker(FaultTest):
    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("needs the right to become another user")
        self.lab.directory.chmod(0o777)
        program = self.lab.directory / "sparklesworker"
        shutil.copy(BINARY, program)
        self.unprivileged = {"user": 65534, "program": program}
        if subprocess.run(["test", "-x", program], user=65534, check=False).returncode != 0:
            self.skipTest("the temp directory is closed to other users")

    def test_unwritable_tasks_dir_exits_5(self):
        self.lab.tasks_dir.mkdir()
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        worker = self.lab.consume(**self.unprivileged)
        self.assertEqual(worker.exit_code, 5, worker.stderr)
        self.assertIn("Permission denied", worker.stderr)

    def test_thread_limit_exits_5(self):
        def limit_processes():
            resource.setrlimit(resource.RLIMIT_NPROC, (2, 2))  # the worker and its launcher
            os.setgroups([])
            os.setuid(61_234)  # a user without any other process
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        worker = self.lab.consume(program=self.unprivileged["program"], preexec_fn=limit_processes)
        self.assertEqual(worker.exit_code, 5, worker.stderr)
        self.assertIn("cannot start threads", worker.stderr)
        self.assertEqual(self.lab.states(), {})

    def test_unwritable_destination_fails_task(self):
        self.lab.write_tasks([self.lab.task("a.1", "echo x > x")])
        worker = self.lab.consume(**self.unprivileged)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_failed("a.1", "Permission denied")
        self.assertFalse((self.lab.store / "a.1").exists())

    def test_unreadable_input_is_named(self):
        self.lab.put("secret", b"x")
        (self.lab.store / "secret").chmod(0o600)
        self.lab.store.chmod(0o777)
        self.lab.write_tasks([self.lab.task("a.1", "true", downloads=[
            self.lab.download(self.lab.url("secret"), "x")])])
        self.assertEqual(self.lab.consume(**self.unprivileged).exit_code, 0)
        self.assert_failed("a.1", self.lab.url("secret"), "Permission denied")

    def test_unreadable_cached_input_is_refetched(self):
        self.lab.store.chmod(0o777)
        inputs = [self.lab.download(self.lab.put_cas(b"reference"), "ref", True, False, True)]
        self.lab.write_tasks([self.lab.task("a.1", "chmod a-r ref", downloads=inputs),
                              self.lab.task("a.2", "cat ref > out", downloads=inputs)])
        worker = self.lab.consume(**self.unprivileged)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertEqual(self.lab.stored("a.2")["out"], b"reference")

    def test_unreadable_output_is_skipped(self):
        self.lab.store.chmod(0o777)
        self.lab.write_tasks([self.lab.task("a.1", "mkdir d; echo x > d/x; echo y > y; chmod 0 d")])
        self.assertEqual(self.lab.consume(**self.unprivileged).exit_code, 0)
        self.assert_complete("a.1")
        self.assertEqual(self.lab.outputs("a.1"), ["y"])
        self.assertEqual([entry["src"] for entry in self.lab.result("a.1")["skipped"]], ["d"])

    def test_unreadable_work_directory_fails_task(self):
        self.lab.store.chmod(0o777)
        self.lab.write_tasks([self.lab.task("a.1", "echo x > x; chmod 0 ."),
                              self.lab.task("a.2", "true")])
        self.assertEqual(self.lab.consume(**self.unprivileged).exit_code, 0)
        self.assert_failed("a.1", "Permission denied")
        self.assert_complete("a.2")


class Mounts(FaultTest):
    def test_leftover_mounts_are_not_emptied(self):
        if subprocess.run(["unshare", "-m", "true"], check=False,
                          capture_output=True).returncode != 0:
            self.skipTest("needs the right to mount")
        precious = self.lab.directory / "precious"
        (precious / "deep").mkdir(parents=True)
        for path in (precious / "data", precious / "deep" / "data"):
            path.write_text("reference genome")
        binding = f"mount --bind {precious}"
        self.lab.write_tasks([self.lab.task("a.1", f"mkdir ref; {binding} ref; cat ref/data"),
                              self.lab.task("a.2", f"{binding} ."), self.lab.task("a.3", "true")])
        worker = self.lab.consume(preexec_fn=private_mounts)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertEqual(self.lab.log("a.1"), "reference genome")
        for name in ("a.1", "a.3"):
            self.assert_complete(name)
        for path in (precious / "data", precious / "deep" / "data"):
            self.assertEqual(path.read_text(), "reference genome")


class ClosedDescriptors(FaultTest):
    def test_messages_do_not_reach_other_files(self):
        self.lab.write_tasks([self.lab.task("a.1", "echo out > x")])
        worker = self.lab.consume(preexec_fn=lambda: os.closerange(0, 3))
        self.assertEqual(worker.exit_code, 0)
        self.assert_complete("a.1")
        self.assertEqual(self.lab.stored("a.1")["x"], b"out\n")


class BrokenState(FaultTest):
    def test_malformed_state_line_is_skipped(self):
        self.lab.write_tasks([self.lab.task("a.1", f"echo nonsense >> {self.lab.state_file}")])
        worker = self.lab.consume(seconds=30)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertIn("line 3: is not valid JSON", worker.stderr)
        self.assertIn('"status":"complete"', self.lab.state_file.read_text().splitlines()[-1])


class UnfitMachine(FaultTest):
    def test_unusable_tasks_dir_exits_5(self):  # D31
        (self.lab.directory / "file").write_text("in the way")
        self.lab.tasks_dir = self.lab.directory / "file" / "tasks"
        worker = self.run_tasks(self.lab.task("a.1", "true"), exit_code=5)
        self.assertIn("file/tasks", worker.stderr)
        for state in self.lab.states().values():
            self.assertEqual(state.status, "pending")

    def test_unusable_cache_dir_exits_5(self):
        (self.lab.directory / "file").write_text("in the way")
        self.lab.cache_dir = self.lab.directory / "file" / "cache"
        worker = self.run_tasks(self.lab.task("a.1", "true"), exit_code=5)
        self.assertIn("file/cache", worker.stderr)


class Destinations(FaultTest):
    def test_undelivered_output_is_not_listed(self):  # D01, D16
        (self.lab.store / "a.1").mkdir()
        (self.lab.store / "a.1" / "sub").write_text("in the way")
        self.run_tasks(self.lab.task("a.1", "mkdir sub; echo x > sub/x; echo y > y"))
        self.assert_failed("a.1", "sub/x")
        listed = [file["src"] for file in self.lab.result("a.1")["files"]]
        self.assertNotIn("sub/x", listed)
        self.assertLessEqual(set(listed), set(self.lab.stored("a.1")))

    def test_earlier_results_are_replaced(self):
        self.run_tasks(self.lab.task("a.1", "echo a long first result > x"))
        self.lab.state_file.unlink()
        self.run_tasks(self.lab.task("a.1", "echo new > x"))
        self.assert_delivered("a.1")
        self.assertEqual(self.lab.stored("a.1")["x"], b"new\n")


class Inputs(FaultTest):
    CONTENT = b"shared input\n" * 1000

    def setUp(self):
        super().setUp()
        self.digest = hashlib.sha256(self.CONTENT).hexdigest()
        self.url = self.lab.put_cas(self.CONTENT)
        self.entry = self.lab.cache_dir / self.digest

    def reader(self, name, command="cat x", **options):
        return self.lab.task(name, command, downloads=[
            self.lab.download(self.url, "x", is_cas_key=True, **options)])

    def assert_reads_good_content(self, name):
        self.assert_complete(name)
        self.assertIn(self.CONTENT, self.lab.stored(name)["stdout.txt"])

    def test_wrong_hash_fails_task(self):
        self.lab.put(f"cas/{self.digest}", b"something else")
        self.run_tasks(self.reader("a.1"))
        self.assert_failed("a.1", self.digest)
        self.assertEqual(list(self.lab.cache_dir.glob(f"{self.digest}*")), [])

    def test_unusable_inputs_are_named(self):
        (self.lab.store / "folder").mkdir()
        os.mkfifo(self.lab.store / "pipe")
        for number, name in enumerate(("gone", "folder", "pipe")):
            self.run_tasks(self.lab.task(f"a.{number}", "true", downloads=[
                self.lab.download(self.lab.url(name), "x")]))
            self.assert_failed(f"a.{number}", self.lab.url(name))

    def test_cached_input_may_vanish_from_store(self):
        self.run_tasks(self.reader("a.1"))
        (self.lab.store / "cas" / self.digest).unlink()
        self.run_tasks(self.reader("a.2"))
        self.assert_reads_good_content("a.2")

    def test_corrupt_cache_entry_is_replaced(self):  # D10
        for number, poison in enumerate((b"poison", b"", self.CONTENT[:-1] + b"X")):
            self.run_tasks(self.reader(f"a.{number}"))
            times = self.entry.stat()
            self.entry.chmod(0o644)
            self.entry.write_bytes(poison)
            os.utime(self.entry, ns=(times.st_atime_ns, times.st_mtime_ns))
            self.run_tasks(self.reader(f"b.{number}"))
            self.assert_reads_good_content(f"b.{number}")
            self.assertEqual(self.entry.read_bytes(), self.CONTENT)

    def test_changed_linked_input_is_dropped(self):  # D11
        self.run_tasks(
            self.reader("a.1", "chmod u+w x; echo poison >> x", symlink_safe=True),
            self.reader("a.2", symlink_safe=True), self.reader("a.3"))
        self.assert_reads_good_content("a.2")
        self.assert_reads_good_content("a.3")
        self.assertEqual(self.lab.stored("a.1")["x"], self.CONTENT + b"poison\n")
        self.assertNotIn("x", self.lab.stored("a.2"))

    def test_renamed_linked_input_is_delivered(self):
        self.run_tasks(
            self.reader("a.1", "mv x y; chmod u+w y; echo more >> y", symlink_safe=True),
            self.reader("a.2", symlink_safe=True))
        self.assertEqual(self.lab.stored("a.1")["y"], self.CONTENT + b"more\n")
        self.assert_reads_good_content("a.2")

    def test_executable_input_keeps_cache_mode(self):  # D11
        self.run_tasks(self.reader("a.1", "test -x x", executable=True, symlink_safe=True),
                       self.reader("a.2", "test -x x && exit 9; true"))
        self.assert_complete("a.1")
        self.assert_complete("a.2")
        self.assertEqual(self.entry.stat().st_mode & 0o111, 0)


class Signals(FaultTest):
    def start_task(self, command, *flags):
        """Starts a worker on one task; returns it once the command has made the file `ready`."""
        ready = self.lab.directory / "ready"
        self.lab.write_tasks([self.lab.task("a.1", command.replace("READY", str(ready))),
                              self.lab.task("a.2", "true")])
        worker = self.lab.start_consume(*flags)
        wait_until(ready.exists, "the command runs")
        ready.unlink()
        return worker

    def test_signal_hands_back_and_ends_command(self):  # D36
        told = self.lab.directory / "told"
        for number, exit_code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            worker = self.start_task(
                f"trap 'echo told >> {told}; exit 7' TERM; echo early; touch READY; "
                "while :; do sleep 0.01; done")
            worker.signal(number)
            self.assertEqual(worker.wait(20).exit_code, exit_code, worker.stderr)
            self.assert_handed_back("a.1", signal.Signals(number).name)
            self.assertNotIn("a.2", self.lab.states())
            self.assertTrue(told.exists())
            told.unlink()
            self.assertIn("early\n", self.lab.log("a.1"))  # best effort, which succeeds here
            self.assertEqual(self.lab.processes(), [])
            self.assertEqual(list(self.lab.tasks_dir.glob("task-*")), [])
            self.lab.state_file.unlink()

    def test_command_ignoring_term_is_killed(self):
        worker = self.start_task(
            "trap '' TERM INT HUP; (trap '' TERM; touch READY; while :; do sleep 0.05; done) & "
            "while :; do sleep 0.05; done", "--grace", "1")
        started = time.monotonic()
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(20).exit_code, 143)
        elapsed = time.monotonic() - started
        self.assertGreater(elapsed, 0.9)
        self.assertLess(elapsed, 9 * SLOWNESS)
        self.assertEqual(self.lab.processes(), [])
        self.assert_handed_back("a.1")

    def test_next_run_completes_handed_back_task(self):
        worker = self.start_task(
            "test $SPARKLES_ATTEMPT -gt 1 && exit 0; touch READY; exec sleep 1000")
        worker.signal(signal.SIGTERM)
        worker.wait(20)
        self.assertEqual(self.lab.consume().exit_code, 0)
        self.assert_complete("a.1")
        self.assert_complete("a.2")

    def test_quick_second_signal_is_ignored(self):
        worker = self.start_task("trap '' TERM INT; touch READY; while :; do sleep 0.05; done",
                                 "--grace", "1")
        worker.signal(signal.SIGTERM)
        started = time.monotonic()
        while time.monotonic() - started < 0.3:  # after a second it would count as a further signal
            time.sleep(0.05)
            worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(20).exit_code, 143)
        self.assert_handed_back("a.1")

    def test_signal_during_script_hands_back(self):
        ready = self.lab.directory / "ready"
        self.lab.write_tasks([self.lab.task("a.1", "true", **{
            "pre-download-script": f"touch {ready}; exec sleep 1000"})])
        worker = self.lab.start_consume()
        wait_until(ready.exists, "the script runs")
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(20).exit_code, 143, worker.stderr)
        self.assert_handed_back("a.1")

    def test_stopped_command_is_ended(self):
        worker = self.start_task("touch READY; kill -STOP $$")
        wait_until(lambda: "T" in map(state_of, self.lab.processes()), "the command is stopped")
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(30).exit_code, 143)
        self.assertEqual(self.lab.processes(), [])


if __name__ == "__main__":
    unittest.main()
