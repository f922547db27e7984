"""Tests of dead mounts, and of mounts that a command leaves in its work directory."""
import ctypes
import os
import re
import resource
import socket

from test_faults import FaultTest, private_mounts

NOT_CONNECTED = "Transport endpoint is not connected|Socket not connected"  # glibc, musl


def mount_dead_fuse(path):
    """Mounts a FUSE file system whose daemon has ended; False if that is not allowed."""
    path.mkdir(parents=True)
    try:
        device = os.open("/dev/fuse", os.O_RDWR)
    except OSError:
        return False
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    mounted = ctypes.CDLL(None).mount(b"dead", os.fsencode(path), b"fuse", 0, options) == 0
    os.close(device)
    return mounted


class MountTest(FaultTest):
    def setUp(self):
        super().setUp()
        if os.geteuid() != 0 or not private_mounts():
            self.skipTest("needs the right to mount")


class DeadMount(MountTest):
    def setUp(self):
        super().setUp()
        self.dead = self.lab.directory / "dead"
        if not mount_dead_fuse(self.dead):
            self.skipTest("needs /dev/fuse")
        self.addCleanup(os.system, f"umount -l {self.dead}")

    def assert_unfit(self, *tasks):
        """Checks that five machine faults end the worker and that all tasks are pending."""
        worker = self.run_tasks(*tasks, exit_code=5)
        self.assertRegex(worker.stderr, NOT_CONNECTED)
        states = self.lab.states()
        for name, state in states.items():
            self.assertEqual(state.status, "pending", state.lines)
        self.assertTrue(any(re.search(NOT_CONNECTED, state.lines[-1].get("failure_reason") or "")
                            for state in states.values()))

    def test_input_on_dead_mount_hands_back(self):
        self.assert_unfit(*(self.lab.task(f"a.{n}", "true", downloads=[
            self.lab.download(f"file://{self.dead}/x", "x")]) for n in range(8)))

    def test_spec_on_dead_mount_hands_back(self):
        self.assert_unfit({"task_id": "a.1", "args": f"file://{self.dead}/spec.json"})

    def test_output_to_dead_mount_hands_back(self):
        for place in ("out", "new/folder/out"):
            self.assert_unfit(self.lab.task("a.1", "touch x", uploads={
                "include_patterns": ["x"], "dst_url": f"file://{self.dead}/{place}"}))

    def test_log_to_dead_mount_hands_back(self):
        self.assert_unfit(self.lab.task("a.1", "true",
                                        stdout_url=f"file://{self.dead}/stdout.txt"))
        self.assert_unfit(self.lab.task("a.2", "true",
                                        command_result_url=f"file://{self.dead}/result.json"))

    def test_link_to_dead_mount_hands_back(self):
        self.assert_unfit(self.lab.task("a.1", f"ln -s {self.dead}/x x"))


class WrongPath(FaultTest):
    def test_special_files_fail_the_task(self):
        os.mkfifo(self.lab.store / "fifo")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(self.lab.store / "socket"))
            self.run_tasks(*(self.lab.task(f"a.{name}", "true", downloads=[
                self.lab.download(self.lab.url(name), "x")]) for name in ("fifo", "socket")))
        for name in ("fifo", "socket"):
            self.assert_failed(f"a.{name}", "not a regular file")


def limit_file_size():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))


class FileSizeLimit(FaultTest):
    """The worker starts with `ulimit -f`."""

    def assert_unfit(self, task):
        self.lab.write_tasks([task])
        worker = self.lab.consume(preexec_fn=limit_file_size)
        self.assertEqual(worker.exit_code, 5, worker.stderr)
        self.assert_handed_back("a.1", "File too large", "ulimit -f allows 1000000 bytes")

    def test_input_beyond_ulimit_hands_back(self):
        url = self.lab.put("big", os.urandom(3_000_000))
        self.assert_unfit(self.lab.task("a.1", "true", downloads=[self.lab.download(url, "x")]))

    def test_output_beyond_ulimit_hands_back(self):
        self.assert_unfit(self.lab.task("a.1", "head -c 3000000 /dev/zero > x"))

    def test_ulimit_of_command_gives_exit_153(self):
        self.run_tasks(self.lab.task("a.1", "ulimit -f 1; head -c 3000000 /dev/zero > x"))
        self.assert_complete("a.1", "153")


class MountsInWork(MountTest):
    def run_and_umount(self, command, mounts, **changes):
        """The command's mounts stay until the worker has ended. The test unmounts them."""
        self.run_tasks(self.lab.task("a.1", command, **changes), flags=("--keepTasks",))
        for work in self.lab.tasks_dir.glob("task-*/work"):
            for mount in mounts:
                os.system(f"umount -l {work}/{mount}")

    def skipped(self):
        return {file["src"]: file["reason"] for file in self.lab.result("a.1")["skipped"]}

    def test_mounts_are_skipped_with_a_reason(self):
        secret = self.lab.directory / "elsewhere"
        secret.mkdir()
        (secret / "data").write_text("not an output")
        self.run_and_umount(
            f"mkdir proc bound disk; touch file; mount -t proc none proc; echo x > kept; "
            f"mount --bind {secret} bound; mount --bind {secret}/data file; "
            "mount -t tmpfs none disk; touch disk/x; ln -s bound/data link; ln -s disk folder",
            ("proc", "bound", "file", "disk"))
        self.assert_complete("a.1")
        self.assertEqual(self.lab.outputs("a.1"), ["kept", "link"])
        skipped = self.skipped()
        self.assertEqual(sorted(skipped), ["bound", "disk", "file", "folder", "proc"])
        self.assertIn("mounted there (proc)", skipped["proc"])
        self.assertIn("another mount", skipped["folder"])
        self.assertTrue((secret / "data").exists())

    def test_dead_mount_is_skipped(self):
        command = ("exec python3 -c '\nimport ctypes, os\nos.mkdir(\"m\")\n"
                   "fd = os.open(\"/dev/fuse\", os.O_RDWR)\n"
                   "opts = f\"fd={fd},rootmode=40000,user_id=0,group_id=0\".encode()\n"
                   "assert ctypes.CDLL(None).mount(b\"x\", b\"m\", b\"fuse\", 0, opts) == 0\n"
                   "os.symlink(\"m/file\", \"link\")\n'")
        if not os.path.exists("/dev/fuse"):
            self.skipTest("needs /dev/fuse")
        self.run_and_umount(command, ("m",))
        self.assert_complete("a.1")
        self.assertEqual(sorted(self.skipped()), ["link", "m"])

    def test_tasks_dir_may_be_a_mount(self):
        self.lab.tasks_dir.mkdir()
        os.system(f"mount -t tmpfs none {self.lab.tasks_dir}")
        self.addCleanup(os.system, f"umount -l {self.lab.tasks_dir}")
        self.run_tasks(self.lab.task("a.1", "mkdir a; echo x > a/x"))
        self.assertEqual(self.lab.outputs("a.1"), ["a/x"])
        self.assertNotIn("skipped", self.lab.result("a.1"))


class PseudoFiles(FaultTest):
    def test_links_to_pseudo_files_are_skipped(self):
        self.run_tasks(self.lab.task("a.1", "ln -s /proc/cpuinfo a; ln -s /proc/self/mem b"))
        self.assert_complete("a.1")
        reasons = {file["src"]: file["reason"] for file in self.lab.result("a.1")["skipped"]}
        self.assertEqual(sorted(reasons), ["a", "b"])
        self.assertIn("pseudo file system", reasons["a"])
