"""Tests of small and read-only disks, the cache limit, withheld variables and the time limit."""
import hashlib
import os
import pathlib
import unittest

from harness import LabTest, wait_until
from test_faults import private_mounts

MEGABYTE = 1_000_000


class SmallDisk(LabTest):
    def setUp(self):
        super().setUp()
        if os.geteuid() != 0 or not private_mounts():
            self.skipTest("needs the right to mount a small file system")

    def mount(self, path, megabytes, files=10000):
        path.mkdir(parents=True, exist_ok=True)
        if os.system(f"mount -t tmpfs -o size={megabytes}m,nr_inodes={files} none {path}") != 0:
            self.skipTest("cannot mount a small file system")
        self.addCleanup(os.system, f"umount -l {path}")

    def inputs(self, number):
        """A task with one input of a megabyte that no other task has."""
        url = self.lab.put_cas(os.urandom(MEGABYTE))
        return self.lab.task(f"a.{number}", "wc -c < in", downloads=[
            self.lab.download(url, "in", is_cas_key=True)])

    def test_cache_is_evicted_for_new_inputs(self):  # D51
        self.mount(self.lab.cache_dir, 3)
        self.run_tasks(*[self.inputs(number) for number in range(1, 7)],
                       flags=("--minFreeSpace", "0"))
        for number in range(1, 7):
            self.assert_complete(f"a.{number}")

    def test_cache_is_evicted_for_plain_inputs(self):  # D51
        small = self.lab.directory / "small"
        self.mount(small, 6)
        self.lab.tasks_dir, self.lab.cache_dir = small / "tasks", small / "cache"
        plain = self.lab.put("in/plain", os.urandom(4 * MEGABYTE))
        self.run_tasks(*[self.inputs(number) for number in range(1, 5)],
                       self.lab.task("b.1", "wc -c < in", downloads=[
                           self.lab.download(plain, "in")]),
                       flags=("--minFreeSpace", "0"))
        for name in ("a.1", "a.4", "b.1"):
            self.assert_complete(name)

    def test_cache_is_evicted_without_inodes(self):  # D51
        self.mount(self.lab.cache_dir, 8, files=200)
        for number in range(150):
            (self.lab.cache_dir / hashlib.sha256(b"%d" % number).hexdigest()).touch()
        worker = self.run_tasks(self.inputs(1), flags=("--minFreeSpace", "0"))
        self.assert_complete("a.1")
        self.assertIn("removed 150 inputs", worker.stderr)

    def test_low_space_claims_nothing(self):  # D31
        self.mount(self.lab.tasks_dir, 4)
        ballast = self.lab.tasks_dir / "ballast"
        ballast.write_bytes(bytes(2 * MEGABYTE))
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        worker = self.lab.start_consume("--minFreeSpace", "3M")
        wait_until(lambda: "nothing is claimed now" in worker.stderr, "the worker logs the reason")
        self.assertIn("--minFreeSpace is 3 MiB", worker.stderr)
        self.assertEqual(self.lab.states(), {})
        ballast.unlink()
        self.assertEqual(worker.wait(40).exit_code, 0, worker.stderr)
        self.assert_complete("a.1")

    def test_small_limit_is_shown_in_kib(self):
        self.mount(self.lab.tasks_dir, 1)
        with open(self.lab.tasks_dir / "ballast", "wb", buffering=0) as ballast:
            with self.assertRaises(OSError):
                while ballast.write(bytes(4096)):
                    pass
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        worker = self.lab.start_consume()
        wait_until(lambda: "nothing is claimed now" in worker.stderr, "the worker logs the reason")
        self.assertRegex(worker.stderr, "0 bytes are free, and --minFreeSpace is 10 KiB")

    def test_read_only_tasks_dir_claims_nothing(self):  # D31
        self.mount(self.lab.tasks_dir, 4)
        gate = self.lab.directory / "gate"
        self.lab.write_tasks([
            self.lab.task("a.1", f"touch {gate}.begun; while [ ! -e {gate} ]; do sleep 0.05; done"),
            self.lab.task("a.2", "true")])
        worker = self.lab.start_consume()
        wait_until((self.lab.directory / "gate.begun").exists, "the command runs")
        # A bind mount, because the mount itself cannot turn read-only while files are open.
        os.system(f"mount --bind {self.lab.tasks_dir} {self.lab.tasks_dir} && "
                  f"mount -o bind,remount,ro {self.lab.tasks_dir}")
        gate.touch()
        wait_until(lambda: "Read-only file system" in worker.stderr, "the worker logs the reason")
        self.assertNotIn("claimed", [line["status"] for name, state in self.lab.states().items()
                                     for line in state.lines if name == "a.2"])
        os.system(f"umount -l {self.lab.tasks_dir}")
        self.assertEqual(worker.wait(40).exit_code, 0, worker.stderr)
        self.assert_complete("a.2")


    def test_disk_turning_read_only_fails_no_task(self):
        """The disk turns read-only before the inputs are staged, and while the command runs."""
        for phase in ("pre-download-script", "command"):
            with self.subTest(phase):
                self.turn_read_only_in(phase)

    def turn_read_only_in(self, phase):
        self.mount(self.lab.tasks_dir, 4)
        gate = self.lab.directory / f"gate-{phase}"
        begun = pathlib.Path(f"{gate}.begun")
        wait = f"touch {begun}; while [ ! -e {gate} ]; do sleep 0.05; done; "
        task = self.lab.task(f"{phase}.1", "cat in > out", downloads=[
            self.lab.download(self.lab.put("in", b"x"), "in")])
        task["args"][phase] = wait + task["args"].get(phase, "")
        self.lab.write_tasks([task])
        worker = self.lab.start_consume()
        wait_until(begun.exists, "the task has begun")
        os.system(f"mount --bind {self.lab.tasks_dir} {self.lab.tasks_dir} && "
                  f"mount -o bind,remount,ro {self.lab.tasks_dir}")
        gate.touch()
        wait_until(lambda: "nothing is claimed now" in worker.stderr, "the worker logs the reason")
        ended = self.lab.states()[f"{phase}.1"]
        self.assertEqual(ended.status, "pending")
        self.assertIn("Read-only file system", ended.lines[-1]["failure_reason"])
        os.system(f"umount -l {self.lab.tasks_dir}")
        self.assertEqual(worker.wait(40).exit_code, 0, worker.stderr)
        self.assert_complete(f"{phase}.1")


class CacheSize(LabTest):
    def test_eviction_keeps_linked_inputs(self):  # D51
        ready, gate = self.lab.directory / "ready", self.lab.directory / "gate"
        linked = os.urandom(MEGABYTE)
        url = self.lab.put_cas(linked)
        holder = self.lab.task(
            "holder.1", f"touch {ready}; while [ ! -e {gate} ]; do sleep 0.05; done; cat in > out",
            downloads=[self.lab.download(url, "in", is_cas_key=True, symlink_safe=True)])
        others = [self.lab.task(f"other.{number}", "true", downloads=[
            self.lab.download(self.lab.put_cas(os.urandom(MEGABYTE)), "in", is_cas_key=True)])
            for number in range(1, 7)]
        self.lab.write_tasks([holder])
        first = self.lab.start_consume("--cacheSize", "1M")
        wait_until(ready.exists, "a task has a link into the cache")
        self.lab.tasks_file = self.lab.directory / "others.json"
        self.lab.write_tasks([*others, self.lab.task("last.1", "true")])
        second = self.lab.consume("--cacheSize", "1M")
        self.assertEqual(second.exit_code, 0, second.stderr)
        self.assertIn("from the cache", second.stderr)
        entries = [path for path in self.lab.cache_dir.iterdir() if len(path.name) == 64]
        self.assertIn(hashlib.sha256(linked).hexdigest(), [path.name for path in entries])
        self.assertLessEqual(len(entries), 2)
        gate.touch()
        self.assertEqual(first.wait(20).exit_code, 0, first.stderr)
        self.assertEqual(self.lab.stored("holder.1")["out"], linked)


class Environment(LabTest):
    SECRETS = {"HF_TOKEN": "sesame-1", "AWS_SECRET_ACCESS_KEY": "sesame-2",
               "WANDB_API_KEY": "sesame-3", "GOOGLE_APPLICATION_CREDENTIALS": "/sesame-4.json"}

    def log_of(self, *flags, **environment):
        """Returns the output of `env` as script and as command; the worker's log has no secret."""
        self.lab.write_tasks([self.lab.task("a.1", "env", **{"post-exec-script": "env | wc -l"})])
        worker = self.lab.consume("--logLevel", "debug", *flags,
                                  environment={**self.SECRETS, **environment})
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertNotIn("sesame", worker.stderr)
        return self.lab.log("a.1")

    def test_all_variables_reach_commands(self):  # D38
        log = self.log_of("--passEnv", "HF_TOKEN", BATCH_TASK_INDEX="7",
                          SPARKLES_MONITOR_SECRET="own")
        for name, value in self.SECRETS.items():
            self.assertIn(f"{name}={value}\n", log)
        self.assertIn("BATCH_TASK_INDEX=7\n", log)
        self.assertNotIn("=own", log)

    def test_withheld_variables_are_named(self):
        log = self.log_of("--withholdEnv", "AWS_SECRET_*", "--withholdEnv=WANDB_API_KEY,*_TOKEN",
                          "--passEnv", "HF_TOKEN",
                          SPARKLES_WITHHOLD_ENV="GOOGLE_APP*")
        self.assertIn("HF_TOKEN=sesame-1\n", log)
        for secret in ("sesame-2", "sesame-3", "sesame-4"):
            self.assertNotIn(secret, log)
        line = [line for line in log.splitlines() if line.startswith("sparkles: withheld")]
        self.assertEqual(line, [
            "sparkles: withheld from the environment: AWS_SECRET_ACCESS_KEY "
            "GOOGLE_APPLICATION_CREDENTIALS WANDB_API_KEY"])

    def test_image_may_withhold_and_pass(self):
        log = self.log_of(SPARKLES_WITHHOLD_ENV="*_KEY, *_TOKEN", SPARKLES_PASS_ENV="HF_TOKEN")
        self.assertIn("HF_TOKEN=sesame-1\n", log)
        self.assertNotIn("=sesame-2", log)


class TimeLimit(LabTest):
    def test_hung_command_fails_with_time_out(self):  # D37
        self.lab.write_tasks([
            self.lab.task("a.1", "trap '' TERM; echo begun; while :; do sleep 0.1; done"),
            self.lab.task("a.2", "exit 3")])
        worker = self.lab.consume("--taskTimeout", "5", "--grace", "1")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_failed("a.1", "time-out", "--taskTimeout", "5s")
        self.assertIn("begun", self.lab.log("a.1"))
        self.assertIn("time-out", self.lab.result("a.1")["failure_reason"])
        self.assertEqual(self.lab.result("a.1")["return_code"], "signaled(killed)")
        self.assert_complete("a.2", "3")
        self.assertEqual(self.lab.processes(), [])


if __name__ == "__main__":
    unittest.main()
