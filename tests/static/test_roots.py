"""Tests of the binary in empty, unusual and limited images."""
import os
import pathlib
import unittest

from gcloud.server import Server
from harness import BINARY, wait_until
from name_server import ADDRESS, NameServer
from root_lab import NEWER_CALLS, RootTest
from test_crash import kill_with_launcher

CONTENT = os.urandom(3 << 20)


class EmptyImage(RootTest):
    """Only the binary: no shell, no libc, no /proc, /dev, /tmp or /etc."""

    def setUp(self):
        self.make(shell=False)

    def test_version_and_help_are_printed(self):
        for arguments in (["version"], ["version", "--verbose"], ["--help"], ["consume", "--help"]):
            worker = self.lab.run(*arguments)
            self.assertEqual((worker.exit_code, worker.stderr), (0, ""), arguments)
            self.assertTrue(worker.stdout)

    def test_copy_is_identical_and_runs(self):
        worker = self.lab.run("copyexe", "--dst", "/w/made/on the way/consume")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        copy = self.lab.directory / "made/on the way/consume"
        self.assertEqual(copy.read_bytes(), pathlib.Path(BINARY).read_bytes())
        second = self.lab.run("version", program="/w/made/on the way/consume")
        self.assertEqual(second.stdout, self.lab.run("version").stdout)

    def test_copyexe_replaces_itself(self):
        worker = self.lab.run("copyexe", "--dst", "/w/consume")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertEqual(self.lab.run("version").exit_code, 0)

    def test_fetch_reads_bucket(self):
        cloud = Server()
        self.addCleanup(cloud.close)
        cloud.storage.make_bucket("lab")
        cloud.storage.put("lab", "a/b", CONTENT)
        worker = self.lab.run("fetch", "--src", "gs://lab/a/b", "--dst", "/w/here/b",
                              environment={"STORAGE_EMULATOR_HOST": f"http://{cloud.address}"})
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertEqual((self.lab.directory / "here/b").read_bytes(), CONTENT)

    def test_fetch_reads_local_file(self):
        worker = self.lab.run("fetch", "--src", self.lab.put("in", CONTENT), "--dst", "/w/out")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertEqual((self.lab.directory / "out").read_bytes(), CONTENT)

    def test_missing_shell_hands_back(self):
        worker = self.run_tasks(self.lab.task("a", "true"), exit_code=5)
        self.assertIn("/bin/sh", worker.stderr)
        self.assertEqual(self.lab.states()["a"].status, "pending")


class Images(RootTest):
    """Each image runs a task with inputs of both kinds and outputs."""

    def run_a_task(self):
        lab = self.lab
        task = lab.task(
            "a", "cat plain cached > both; echo said; id; mkdir -p /w/more 2>/dev/null; true",
            downloads=[lab.download(lab.put("plain", CONTENT), "plain"),
                       lab.download(lab.put_cas(b"cached"), "cached", is_cas_key=True)])
        worker = self.run_tasks(task)
        self.assert_complete("a")
        self.assert_delivered("a")
        self.assertEqual(lab.outputs("a"), ["both"])
        self.assertEqual(lab.stored("a")["both"], CONTENT + b"cached")
        self.assertIn("said\n", lab.log("a"))
        return worker

    def run_a_cloud_task(self):
        """Runs a task with several transfers from and to a bucket."""
        cloud = Server()
        self.addCleanup(cloud.close)
        cloud.storage.make_bucket("lab")
        downloads = []
        for i in range(20):
            cloud.storage.put("lab", f"in/{i}", CONTENT)
            downloads.append(self.lab.download(f"gs://lab/in/{i}", f"in{i}"))
        task = self.lab.task(
            "c", "for i in in*; do cp $i out-$i; done", downloads=downloads,
            uploads={"include_patterns": ["**"], "dst_url": "gs://lab/c"},
            command_result_url="gs://lab/c/result.json", stdout_url="gs://lab/c/stdout.txt")
        self.lab.environment["STORAGE_EMULATOR_HOST"] = f"http://{cloud.address}"
        self.run_tasks(task)
        self.assert_complete("c")
        for i in range(20):
            self.assertEqual(cloud.storage.data("lab", f"c/out-in{i}"), CONTENT)

    def run_all(self):
        self.run_a_task()
        self.lab.state_file.unlink()
        self.run_a_cloud_task()
        copied = self.lab.run("copyexe", "--dst", "/w/copy")
        self.assertEqual(copied.exit_code, 0, copied.stderr)

    def test_task_runs_in_busybox(self):
        self.make()
        self.run_all()

    def test_task_runs_in_busybox_with_proc(self):
        self.make(needs_mounts=True)
        for directory in ("/proc", "/dev"):
            self.lab.mount(directory)
        self.run_all()

    def test_task_runs_in_debian(self):
        self.make(needs_mounts=True, shell=False)
        for directory in ("/usr", "/etc", "/proc", "/dev"):
            self.lab.mount(directory)
        for name in ("bin", "lib", "lib64", "sbin"):
            if os.path.islink(f"/{name}"):
                os.symlink(os.readlink(f"/{name}"), f"{self.lab.root}/{name}")
        self.run_all()

    def test_task_runs_in_alpine_without_ca_bundle(self):
        self.make(needs_mounts=True)
        for directory in ("/proc", "/dev"):
            self.lab.mount(directory)
        etc = pathlib.Path(self.lab.root, "etc")
        etc.mkdir()
        (etc / "passwd").write_text("root:x:0:0:root:/root:/bin/ash\n", encoding="ascii")
        (etc / "hosts").write_text("127.0.0.1 localhost\n", encoding="ascii")
        (etc / "resolv.conf").write_text("nameserver 127.0.0.1\n", encoding="ascii")
        (etc / "os-release").write_text("ID=alpine\n", encoding="ascii")
        self.run_all()

    def test_task_runs_on_read_only_root(self):
        self.make(read_only=["/"], needs_mounts=True)
        self.lab.wish["mounts"] = {"/w": str(self.lab.directory)}
        self.run_all()

    def test_task_runs_without_passwd_entry(self):
        self.make(uid=54321)
        self.run_all()

    def test_task_runs_with_umask_077(self):
        self.make(umask=0o077)
        self.run_all()

    def test_task_runs_with_64_kib_stack(self):
        self.make(limits={"STACK": 64 << 10})
        self.run_all()

    def test_task_runs_with_64_descriptors(self):
        self.make(limits={"NOFILE": 64})
        self.run_all()

    def test_task_runs_on_old_kernel(self):
        self.make(forbidden=NEWER_CALLS)
        self.run_all()

    def test_read_only_destination_fails_task(self):
        self.make(needs_mounts=True, read_only=["/ro"])
        os.mkdir(f"{self.lab.root}/ro")
        task = self.lab.task("a", "echo > out",
                             uploads={"include_patterns": ["**"], "dst_url": "file:///ro/a"})
        worker = self.run_tasks(task)
        state = self.lab.states()["a"]
        self.assertEqual(state.status, "failed", worker.stderr)
        self.assertIn("Read-only file system", state.lines[-1]["failure_reason"])

    def test_task_runs_if_newer_calls_give_eperm(self):
        self.make(forbidden=NEWER_CALLS, answer="EPERM")
        self.run_all()

    def test_orphans_end_without_newer_calls(self):
        for answer in ("ENOSYS", "EPERM"):
            self.make(needs_mounts=True, forbidden=NEWER_CALLS, answer=answer)
            lab = self.lab
            for directory in ("/proc", "/dev"):
                lab.mount(directory)
            started = lab.directory / "started"
            lab.write_tasks([lab.task("a", "trap '' TERM HUP; [ -e /w/started ] || "
                                           "{ sleep 600 & echo > /w/started; wait; }")])
            worker = lab.start_consume()
            wait_until(started.exists, "the command runs")
            kill_with_launcher(worker)
            lab.worker_was_killed = True
            self.assertTrue(lab.processes(), "it must still run")
            second = lab.consume()
            self.assertIn("processes of a worker that was killed", second.stderr)
            self.assertEqual(lab.processes(), [], answer)

    def test_task_runs_under_all_limits(self):
        self.make(needs_mounts=True, read_only=["/"], uid=54321, umask=0o077,
                  limits={"STACK": 64 << 10, "NOFILE": 64}, forbidden=NEWER_CALLS)
        self.lab.wish["mounts"] = {"/w": str(self.lab.directory)}
        self.run_all()


class HostNames(RootTest):
    """The binary looks up names in /etc/hosts, then at the servers of /etc/resolv.conf."""

    def setUp(self):
        self.make(shell=False)
        self.etc = pathlib.Path(self.lab.root, "etc")
        self.etc.mkdir()

    def fetch(self, host, exit_code=0):
        cloud = Server()
        self.addCleanup(cloud.close)
        cloud.storage.make_bucket("lab")
        cloud.storage.put("lab", "a", CONTENT)
        port = cloud.address.rpartition(":")[2]
        worker = self.lab.run("fetch", "--src", "gs://lab/a", "--dst", "/w/a", seconds=30,
                              environment={"STORAGE_EMULATOR_HOST": f"http://{host}:{port}"})
        self.assertEqual(worker.exit_code, exit_code, worker.stderr)
        return worker.stderr

    def test_missing_resolver_file_is_named(self):
        said = self.fetch("cloud.test", exit_code=1)
        self.assertIn("cloud.test", said)
        self.assertIn("there is no /etc/resolv.conf", said)

    def test_etc_hosts_names_are_found(self):
        (self.etc / "hosts").write_text("127.0.0.1 cloud.test\n", encoding="ascii")
        self.fetch("cloud.test")

    def test_server_and_search_names_are_found(self):
        try:
            server = NameServer(["whole.test", "part.search.test"])
        except OSError as problem:
            self.skipTest(f"no name server can be started here ({problem})")
        self.addCleanup(server.close)
        (self.etc / "resolv.conf").write_text(f"nameserver {ADDRESS}\nsearch search.test\n",
                                              encoding="ascii")
        self.fetch("whole.test")
        self.fetch("part")
        self.assertIn("part.search.test", server.asked)


if __name__ == "__main__":
    unittest.main()
