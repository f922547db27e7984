"""Tests of the resource usage and the cause of death in result.json."""
import contextlib
import os
import pathlib
import subprocess
import sys
import unittest
import uuid

from harness import BINARY, LabTest

MIB = 1 << 20
MEMORY_GROUPS = pathlib.Path("/sys/fs/cgroup")
# Allocates `argv[1]` MiB for `argv[2]` seconds.
HOG = ("import sys, time; data = [b'x' * (1 << 20) for _ in range(int(sys.argv[1]))];"
       " time.sleep(float(sys.argv[2]))")


def hog(megabytes, seconds=0.0):
    return f"{sys.executable} -c \"{HOG}\" {megabytes} {seconds}"


def own_group(controller):
    """The path of our cgroup for `controller` (version 1), or of version 2 ("")."""
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path.lstrip("/")
    return None


@contextlib.contextmanager
def small_group(limit):
    """Yields a memory cgroup with that limit and "", or None and the reason."""
    name = f"sparkles-test-{uuid.uuid4().hex[:8]}"
    old = own_group("memory")
    if old is not None:
        directory, limit_file = MEMORY_GROUPS / "memory" / old / name, "memory.limit_in_bytes"
    else:
        directory, limit_file = MEMORY_GROUPS / (own_group("") or "") / name, "memory.max"
    try:
        directory.mkdir()
    except OSError as error:
        yield None, f"no memory control group can be made here: {error}"
        return
    try:
        (directory / limit_file).write_text(str(limit))
        with contextlib.suppress(OSError):  # version 2 with swap
            (directory / "memory.swap.max").write_text("0")
    except OSError as error:
        directory.rmdir()
        yield None, f"no memory limit can be set here: {error}"
        return
    try:
        yield directory, ""
    finally:
        directory.rmdir()


def kills_for_lack_of_memory():
    """The number of OOM kills since the machine started."""
    counts = dict(line.split() for line in pathlib.Path("/proc/vmstat").read_text().splitlines())
    return int(counts.get("oom_kill", 0))


class ResourceUsage(LabTest):
    def run_three(self, command):
        """Runs the command in three tasks; returns their names."""
        names = ["a.1", "a.2", "a.3"]
        self.run_tasks(*[self.lab.task(name, command) for name in names])
        return names

    def test_short_task_has_resource_usage(self):
        # The sampler may not run during one short task, but hardly misses all three.
        names = self.run_three(hog(60, 0.25))
        result = max(map(self.lab.result, names), key=lambda each: each["machine_stats"]["samples"])
        usage, machine = result["resource_usage"], result["machine_stats"]
        self.assertGreaterEqual(usage["peak_processes"], 1)
        self.assertGreater(usage["peak_memory_size"], 60 * 1024)
        self.assertLess(usage["peak_memory_size"], 200 * 1024)
        self.assertGreaterEqual(machine["samples"], 4)
        self.assertGreater(machine["max_memory_in_use"], 0)
        self.assertGreater(machine["min_disk_free"], 0)
        self.assertNotIn("cause", result)

    def test_usage_of_processes_is_summed(self):
        names = self.run_three(f"{hog(30, 1)} & {hog(30, 1)} & {hog(30, 1)} & wait")
        usage = max((self.lab.result(name)["resource_usage"] for name in names),
                    key=lambda each: (min(each["peak_processes"], 4), each["peak_memory_size"]))
        self.assertGreaterEqual(usage["peak_processes"], 4)
        self.assertGreater(usage["peak_memory_size"], 90 * 1024)
        self.assertLess(usage["max_memory_size"], 80 * 1024)

    def test_disk_writes_are_counted(self):
        self.run_tasks(self.lab.task(
            "a.1", "dd if=/dev/zero of=out bs=1M count=8 conv=fsync 2>/dev/null; rm out"))
        usage = self.lab.result("a.1")["resource_usage"]
        kind = subprocess.run(["stat", "-f", "-c", "%T", self.lab.directory], check=True,
                              capture_output=True, text=True).stdout.strip()
        if kind == "tmpfs":
            self.skipTest("the tests' directory is not on a disk")
        self.assertGreaterEqual(usage["write_bytes"], 8 * MIB)


class ExitCause(LabTest):
    def cause(self, command, exit_code):
        self.run_tasks(self.lab.task("a.1", command))
        self.assert_complete("a.1", exit_code)
        return self.lab.result("a.1")["cause"]

    def test_exit_code_is_the_cause(self):
        self.assertEqual(self.cause("exit 3", "3"),
                         {"kind": "exit_code", "detail": "the command ended with 3"})

    def test_signal_is_the_cause(self):
        cause = self.cause("kill -SEGV $$", "139")
        self.assertEqual(cause["kind"], "signal")
        self.assertIn("segmentation fault", cause["detail"])

    def test_sigkill_without_oom_is_a_signal(self):
        for _ in range(10):  # another process may be killed for memory meanwhile
            before = kills_for_lack_of_memory()
            cause = self.cause("kill -KILL $$", "137")
            if kills_for_lack_of_memory() == before:
                break
            self.lab.state_file.unlink()
        self.assertEqual(cause["kind"], "signal")
        self.assertIn("has counted no kill", cause["detail"])

    def test_oom_kill_is_the_cause(self):  # D47
        with small_group(200 * MIB) as (group, why_not):
            if group is None:
                self.skipTest(why_not)
            self.lab.write_tasks([self.lab.task("a.1", hog(1000, 60)),
                                  self.lab.task("a.2", f"{hog(1000, 60)}; exit 7"),
                                  self.lab.task("a.3", "true")])
            worker = self.lab.consume(
                preexec_fn=lambda: (group / "cgroup.procs").write_text(str(os.getpid())))
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_complete("a.1", "137")
        self.assert_complete("a.2", "7")
        self.assert_complete("a.3")
        for name in ("a.1", "a.2"):
            cause = self.lab.result(name)["cause"]
            self.assertEqual(cause["kind"], "out_of_memory", cause)
            self.assertIn("in the worker's control group", cause["detail"])
        self.assertNotIn("cause", self.lab.result("a.3"))

    def test_stop_after_oom_kill_is_abandoned(self):
        """Like systemd's OOMPolicy=stop: the worker gets TERM when a child process dies."""
        pid = self.lab.directory / "pid"
        self.lab.write_tasks([self.lab.task(
            "a.1", f"{hog(1000, 60)}; kill -TERM $(cat {pid}); exec sleep 600")])

        def enter(group):
            (group / "cgroup.procs").write_text(str(os.getpid()))
            pid.write_text(str(os.getpid()))

        with small_group(200 * MIB) as (group, why_not):
            if group is None:
                self.skipTest(why_not)
            for _ in range(10):
                worker = self.lab.consume(preexec_fn=lambda: enter(group))
                self.assertEqual(worker.exit_code, 143, worker.stderr)
                self.assertRegex(self.lab.states()["a.1"].failure_reason,
                                 "^abandoned: out of memory: .* stopped by SIGTERM$")
        worker = self.lab.consume()
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_failed("a.1", "failed after 10 abandoned claims")

    def test_full_disk_is_the_cause(self):
        small = self.lab.directory / "small"
        small.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", small],
                                 check=False, capture_output=True, text=True)
        if mounted.returncode:
            self.skipTest(f"no file system can be mounted here: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", small], check=True)
        self.lab.tasks_dir = small / "tasks"
        cause = self.cause("dd if=/dev/zero of=big bs=64k 2>/dev/null; c=$?; rm -f gone; "
                           "sleep 3.5; rm big; exit $c", "1")
        self.assertEqual(cause["kind"], "disk_full", cause)

    def test_command_has_high_oom_score(self):
        self.run_tasks(self.lab.task("a.1", "cat /proc/self/oom_score_adj"))
        self.assertGreaterEqual(int(self.lab.log("a.1")), 500)

    def test_worker_has_low_oom_score(self):
        probe = subprocess.run(["sh", "-c", "echo -1 > /proc/self/oom_score_adj"], check=False,
                               capture_output=True)
        if probe.returncode:
            self.skipTest("lowering a score is not allowed here (it takes CAP_SYS_RESOURCE)")
        # The worker and its launcher are the ancestors of the command that run this binary.
        self.run_tasks(self.lab.task("a.1", """
            p=$PPID
            while [ "$(readlink /proc/$p/exe)" = "%s" ]; do
              cat /proc/$p/oom_score_adj
              p=$(sed 's/.*) . //' /proc/$p/stat | cut -d ' ' -f 1)
            done""" % os.path.realpath(BINARY)))
        self.assertEqual(set(self.lab.log("a.1").split()), {"-500"})


if __name__ == "__main__":
    unittest.main()
