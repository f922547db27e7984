"""Tests of the command line: flags, help, exit codes and the small commands."""
import hashlib
import json
import os
import pathlib
import resource
import shutil
import stat
import subprocess
import tempfile
import unittest

import harness
from harness import BINARY, LabTest

COMMANDS = ("completion", "consume", "copyexe", "doctor", "fetch", "logs", "man", "status",
            "summary", "version")


class Help(LabTest):
    def test_each_command_has_help(self):
        for command in COMMANDS:
            worker = self.lab.run(command, "--help")
            self.assertEqual((worker.exit_code, worker.stderr), (0, ""), command)
            self.assertIn(command, worker.stdout)

    def test_help_lists_commands_and_exit_codes(self):
        text = self.lab.run("--help").stdout
        for command in COMMANDS:
            self.assertRegex(text, rf"(?m)^  {command} +[A-Z]")
        for code in ("0", "1", "2", "3", "4", "5", "6", "75", "130", "143"):
            self.assertRegex(text, rf"(?m)^ *{code}\b")

    def test_consume_help_lists_contract_flags(self):
        text = self.lab.run("consume", "--help").stdout
        for flag in ("projectId", "cluster", "cacheDir", "tasksDir", "tasksFile", "port", "timeout",
                     "shutdownAfter", "ftShutdownAfter", "localhost", "expectedVersion",
                     "keepTasks", "logFormat"):
            self.assertIn(f"--{flag}", text)

    def test_help_lines_fit_100_columns(self):
        for arguments in ((), *((command,) for command in COMMANDS)):
            for line in self.lab.run(*arguments, "--help").stdout.splitlines():
                self.assertLessEqual(len(line), 100, line)

    def test_verbose_version_names_libraries(self):
        text = self.lab.run("version", "--verbose").stdout
        self.assertTrue(text.startswith(self.lab.run("version").stdout))
        self.assertRegex(text, r"(?m)^libraries: libcurl/7\.88\.1 OpenSSL/3\S+ zlib/")
        self.assertRegex(
            text, r"(?m)^built-in CA certificates: .*ca-certificates 20\d{6}\S*, \d+ roots$")

    def test_version_command_equals_version_flag(self):
        first = self.lab.run("version")
        second = self.lab.run("--version")
        self.assertEqual((first.exit_code, second.exit_code), (0, 0))
        self.assertEqual(first.stdout, second.stdout)
        self.assertRegex(first.stdout, r"\d+\.\d+\.\d+")
        self.assertIn(harness.LANE, first.stdout)


class Output(LabTest):
    def test_full_stdout_is_a_failure(self):
        copy = ("copyexe", "--dst", self.lab.directory / "copy")
        for arguments in (("version",), ("--help",), copy):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([BINARY, *arguments], stdout=full, stderr=subprocess.PIPE,
                                      text=True, check=False)
            self.assertEqual(done.returncode, 1, arguments)
            self.assertEqual(done.stderr,
                             "sparklesworker: standard output: No space left on device\n")

    def test_closed_stdout_prints_no_error(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([BINARY, "--help"], stdout=writer, stderr=subprocess.PIPE,
                              check=False)
        os.close(writer)
        self.assertEqual((done.returncode, done.stderr), (1, b""))


class Usage(LabTest):
    def assert_usage_error(self, *arguments, names):
        worker = self.lab.run(*arguments)
        self.assertEqual(worker.exit_code, 2, f"{arguments}: {worker.stderr}")
        self.assertIn(names, worker.stderr, arguments)
        self.assertEqual(worker.stdout, "")
        return worker

    def test_unknown_flags_and_commands_are_named(self):
        self.assert_usage_error("consume", "--colour", "red", names="colour")
        self.assert_usage_error("fetch", "--force", names="force")
        self.assert_usage_error("frobnicate", names="frobnicate")
        self.assert_usage_error(names="consume")  # without a command the error lists them

    def test_missing_required_flags_are_named(self):
        consume = ["consume", "--tasksFile", "f"]
        self.assert_usage_error(*consume, "--cacheDir", "c", names="tasksDir")
        self.assert_usage_error(*consume, "--tasksDir", "t", names="cacheDir")
        directories = ["consume", "--tasksDir", "t", "--cacheDir", "c"]
        self.assert_usage_error(*directories, "--cluster", "c", names="projectId")
        self.assert_usage_error(*directories, "--projectId", "p", names="cluster")
        self.assert_usage_error("copyexe", names="dst")
        self.assert_usage_error("fetch", "--dst", "d", names="src")
        self.assert_usage_error("fetch", "--src", "file:///a", names="dst")
        self.assert_usage_error("summary", names="tasksFile")
        self.assert_usage_error("status", "--certFile", "c", names="address")
        self.assert_usage_error("logs", "--address", "a:1", "--task", "t", names="certFile")
        self.assert_usage_error("logs", "--address", "a:1", "--certFile", "c", names="task")

    def test_bad_values_are_named(self):
        for flag, value in (("timeout", "soon"), ("timeout", "0"), ("shutdownAfter", "-1"),
                            ("shutdownAfter", "1x"), ("port", "65536"), ("port", "http"),
                            ("ftShutdownAfter", ""), ("logFormat", "xml"), ("logLevel", "loud"),
                            ("transfers", "0"), ("grace", "-3"), ("durable", "perhaps"),
                            ("shutdownAfter", "99999999999999999999")):
            self.lab.write_tasks([])
            arguments = self.lab.consume_arguments(f"--{flag}={value}")
            self.assert_usage_error(*arguments, names=flag)

    def test_invalid_number_names_range(self):
        for flag in ("taskTimeout", "noProgressTimeout", "grace", "shutdownAfter"):
            self.lab.write_tasks([])
            for value in ("-3", "x", "1e99"):
                worker = self.assert_usage_error(*self.lab.consume_arguments(f"--{flag}", value),
                                                 names="0 to 2147483647")
                self.assertIn(f"--{flag}", worker.stderr)

    def test_flag_without_value_is_named(self):
        self.assert_usage_error("copyexe", "--dst", names="dst")

    def test_flags_accept_four_styles(self):
        for number, style in enumerate((["--dst", "{}"], ["--dst={}"], ["-dst", "{}"],
                                        ["-dst={}"])):
            path = self.lab.directory / f"copy{number}"
            worker = self.lab.run("copyexe", *[part.format(path) for part in style])
            self.assertEqual(worker.exit_code, 0, worker.stderr)
            self.assertTrue(path.exists(), style)

    def test_boolean_flags_accept_all_styles(self):
        for flag in ("--keepTasks", "-keepTasks", "--keepTasks=true"):
            self.lab.state_file.unlink(missing_ok=True)
            self.run_tasks(self.lab.task("a.1", "true"), flags=(flag,))
            kept = list(self.lab.tasks_dir.glob("task-*"))
            self.assertEqual(len(kept), 1, flag)
            shutil.rmtree(kept[0])
        self.lab.state_file.unlink()
        self.run_tasks(self.lab.task("a.1", "true"), flags=("--keepTasks=false",))
        self.assertEqual(list(self.lab.tasks_dir.glob("task-*")), [])

    def test_flags_of_go_worker_are_accepted(self):
        self.run_tasks(self.lab.task("a.1", "true"), flags=(
            "--cluster", "c", "--projectId", "p", "--timeout", "10", "--shutdownAfter", "0",
            "--ftShutdownAfter", "600", "--localhost"))
        self.assert_complete("a.1")


class ExpectedVersion(LabTest):
    def test_different_version_claims_nothing(self):
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        worker = self.lab.consume("--expectedVersion", "0.0.0-other")
        self.assertEqual(worker.exit_code, 3, worker.stderr)
        self.assertIn("0.0.0-other", worker.stderr)
        for remedy in ("sparklesworker_image", "make static VERSION=0.0.0-other"):
            self.assertIn(remedy, worker.stderr)
        self.assertEqual(self.lab.states(), {})

    def test_matching_version_runs_tasks(self):
        version = self.lab.run("version").stdout.split()
        number = next(word for word in version if word[0].isdigit())
        for task, expected in (("a.1", number), ("a.2", "5.0.0"), ("a.3", "5.8.2")):
            self.run_tasks(self.lab.task(task, "true"), flags=(f"--expectedVersion={expected}",))
            self.assert_complete(task)


class CopyExe(LabTest):
    def copy(self, path, program=BINARY, umask=0o022):
        done = subprocess.run([program, "copyexe", "--dst", path], capture_output=True, text=True,
                              umask=umask, check=False, env={harness.MARK: str(self.lab.directory)})
        return done

    def assert_works(self, path):
        done = subprocess.run([path, "version"], capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_copy_obeys_umask_and_makes_parents(self):
        for umask in (0o022, 0o077, 0):
            path = self.lab.directory / f"a{umask}/b/consume"
            done = self.copy(path, umask=umask)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            size = os.path.getsize(BINARY)
            self.assertEqual(done.stdout, f"copied {size} bytes to {path}\n")
            self.assertEqual(path.read_bytes(), pathlib.Path(BINARY).read_bytes())
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o777 & ~umask)
            self.assert_works(path)

    def test_running_program_is_replaced(self):  # D55
        path = self.lab.directory / "consume"
        shutil.copy("/bin/sleep", path)
        with subprocess.Popen([path, "100"]) as running:
            self.addCleanup(running.kill)
            self.assertEqual(self.copy(path).returncode, 0)
            self.assertIsNone(running.poll())
            self.assert_works(path)
            running.kill()

    def test_copy_onto_itself_keeps_program(self):
        path = self.lab.directory / "consume"
        self.copy(path)
        self.assertEqual(self.copy(path, program=path).returncode, 0)
        self.assert_works(path)

    def test_copy_onto_own_link_keeps_program(self):
        path = self.lab.directory / "consume"
        self.copy(path)
        (self.lab.directory / "link").symlink_to(path)
        os.link(path, self.lab.directory / "name")
        for other in ("link", "name"):
            done = self.copy(self.lab.directory / other, program=path)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assert_works(self.lab.directory / other)
        self.assert_works(path)

    def test_directories_are_not_replaced(self):
        directory, link = self.lab.directory / "folder", self.lab.directory / "link"
        directory.mkdir()
        link.symlink_to(directory)
        for path in (directory, link, f"{self.lab.directory}/new/sub/"):
            done = self.copy(path)
            self.assertEqual((done.returncode, done.stdout), (1, ""), path)
            self.assertIn(f"{path}: Is a directory", done.stderr)
        self.assertTrue(link.is_symlink())
        self.assertFalse((self.lab.directory / "new").exists())

    def test_copy_to_another_file_system_works(self):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
            disk = os.statvfs(directory)
            if (disk.f_flag & os.ST_NOEXEC
                    or disk.f_bavail * disk.f_frsize < 2 * os.path.getsize(BINARY)):
                self.skipTest("/dev/shm is small, or closed to programs")
            path = pathlib.Path(directory, "consume")
            self.assertEqual(self.copy(path).returncode, 0)
            self.assert_works(path)
            back = self.lab.directory / "consume"
            self.assertEqual(self.copy(back, program=path).returncode, 0)
            self.assert_works(back)

    def test_deleted_program_copies_itself(self):
        path = self.lab.directory / "consume"
        self.copy(path)
        script = 'exec 3<"$1"; rm "$1"; exec /proc/self/fd/3 copyexe --dst "$2"'
        done = subprocess.run(["/bin/sh", "-c", script, "sh", path, self.lab.directory / "copy"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_works(self.lab.directory / "copy")

    def test_full_disk_keeps_old_file(self):
        path = self.lab.directory / "consume"
        path.write_text("older")
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        done = subprocess.run([BINARY, "copyexe", "--dst", path], capture_output=True, text=True,
                              preexec_fn=limit, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(str(path), done.stderr)
        self.assertEqual(path.read_text(), "older")
        names = os.listdir(self.lab.directory)
        self.assertEqual([name for name in names if "sparkles-" in name], [])

    def test_fifo_is_not_replaced(self):
        fifo = self.lab.directory / "fifo"
        os.mkfifo(fifo)
        done = self.copy(fifo)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{fifo}: not a regular file", done.stderr)
        self.assertTrue(fifo.is_fifo())

    def test_failed_copy_leaves_nothing(self):
        (self.lab.directory / "file").write_text("in the way")
        (self.lab.directory / "folder").mkdir()
        for path in ("file/consume", "folder"):
            done = self.copy(self.lab.directory / path)
            self.assertEqual(done.returncode, 1)
            self.assertIn(path.split("/")[0], done.stderr)
        self.assertEqual(list((self.lab.directory / "folder").iterdir()), [])
        self.assertEqual([path.name for path in self.lab.directory.iterdir() if "consume" in
                          path.name], [])


class Fetch(LabTest):
    CONTENT = b"to be fetched\n" * 1000

    def setUp(self):
        super().setUp()
        self.src = self.lab.put("in/data.bin", self.CONTENT)
        self.dst = self.lab.directory / "out" / "data.bin"
        self.dst.parent.mkdir()
        self.md5 = hashlib.md5(self.CONTENT).hexdigest()

    def fetch(self, *more, src=None):
        return self.lab.run("fetch", "--src", src or self.src, "--dst", self.dst, *more)

    def test_md5_is_optional_and_ignores_case(self):  # D54
        for more in ((), ("--expectMD5", self.md5), ("--expectMD5", self.md5.upper()),
                     ("--expectMD5", ""), ("--expectMD5=",)):
            self.dst.unlink(missing_ok=True)
            worker = self.fetch(*more)
            self.assertEqual((worker.exit_code, worker.stdout), (0, ""), worker.stderr)
            self.assertEqual(self.dst.read_bytes(), self.CONTENT)

    def test_wrong_md5_leaves_nothing(self):
        worker = self.fetch("--expectMD5", "0" * 32)
        self.assertEqual(worker.exit_code, 1)
        self.assertIn("0" * 32, worker.stderr)
        self.assertIn(self.md5, worker.stderr)
        self.assertEqual(list(self.dst.parent.iterdir()), [])

    def test_wrong_md5_keeps_old_file(self):
        self.dst.write_text("older")
        self.assertEqual(self.fetch("--expectMD5", "0" * 32).exit_code, 1)
        self.assertEqual(self.dst.read_text(), "older")

    def test_invalid_md5_is_usage_error(self):
        worker = self.fetch("--expectMD5", "abc")
        self.assertEqual(worker.exit_code, 2, worker.stderr)
        self.assertIn("expectMD5", worker.stderr)

    def test_missing_object_or_bad_url_is_named(self):
        for src in (self.lab.url("in/nothing"), "http://example.com/x", "data.bin"):
            worker = self.fetch(src=src)
            self.assertIn(worker.exit_code, (1, 2))
            self.assertIn(src, worker.stderr)
            self.assertEqual(list(self.dst.parent.iterdir()), [])

    def test_fifo_is_not_replaced(self):
        os.mkfifo(self.dst)
        worker = self.fetch()
        self.assertEqual(worker.exit_code, 1)
        self.assertIn("not a regular file", worker.stderr)
        self.assertTrue(pathlib.Path(self.dst).is_fifo())

    def test_dst_may_be_relative(self):
        worker = self.lab.run("fetch", "--src", self.src, "--dst", "here.bin")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertEqual((self.lab.directory / "here.bin").read_bytes(), self.CONTENT)


class Summary(LabTest):
    def summary(self):
        worker = self.lab.run("summary", "--tasksFile", self.lab.tasks_file)
        self.assertEqual((worker.exit_code, worker.stderr), (0, ""))
        return worker.stdout

    def line_of(self, name):
        return next(line for line in self.summary().splitlines() if name in line)

    def test_each_task_has_one_line(self):
        self.run_tasks(self.lab.task("good.1", "echo x > x.csv"),
                       self.lab.task("odd.2", "exit 3"),
                       self.lab.task("bad.3", "true", working_dir="nowhere"))
        for name, *words in (("good.1", "complete", "0"), ("odd.2", "complete", "3"),
                             ("bad.3", "failed", "nowhere")):
            for word in words:
                self.assertIn(word, self.line_of(name))

    def test_unclaimed_tasks_are_pending(self):
        self.lab.write_tasks([self.lab.task("new.1", "true")])
        self.assertIn("pending", self.line_of("new.1"))
        self.assertFalse(self.lab.state_file.exists())

    def test_malformed_result_keeps_status(self):
        self.run_tasks(self.lab.task("odd.1", "true"))
        for usage in ([1], {"user_cpu_time": [2]}, {"elapsed_time": 1e308}, "x"):
            result = self.lab.store / "odd.1/result.json"
            result.write_text(json.dumps({"resource_usage": usage, "files": []}))
            self.assertIn("complete", self.line_of("odd.1"))
            self.assertLess(len(self.line_of("odd.1")), 120)

    def test_malformed_number_becomes_dash(self):
        self.run_tasks(self.lab.task("odd.1", "true"))
        nonsense = {"elapsed_time": "x", "max_memory_size": -5,
                    "user_cpu_time": {"Sec": [], "Usec": 1}}
        result = self.lab.store / "odd.1/result.json"
        result.write_text(json.dumps({"resource_usage": nonsense, "files": {}}))
        self.assertEqual(self.line_of("odd.1").split(), ["odd.1", "complete", "0"] + ["-"] * 4)

    def test_columns_align_under_any_id(self):
        names = ["job.1", "j\u00f6b.2", "jo\u0308b.3", "\u4efb\u52a1.4", "\U0001f680.5"]
        widths = [5, 5, 5, 6, 4]
        self.lab.write_tasks([self.lab.task(name, "true") for name in names])
        lines = self.summary().splitlines()
        self.assertEqual(lines[0].index("STATUS"), 8)
        for line, name, width in zip(lines[1:], names, widths):
            self.assertEqual(line.index("pending"), len(name) + 8 - width, line)

    def test_missing_tasks_file_is_named(self):
        worker = self.lab.run("summary", "--tasksFile", self.lab.tasks_file)
        self.assertEqual(worker.exit_code, 4, worker.stderr)
        self.assertIn(self.lab.tasks_file.name, worker.stderr)


class Binary(unittest.TestCase):
    def test_binary_is_executable(self):
        self.assertTrue(os.access(BINARY, os.X_OK), BINARY)
        self.assertTrue(pathlib.Path(BINARY).is_file())


if __name__ == "__main__":
    unittest.main()
