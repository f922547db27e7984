"""Tests of `sparklesworker status` and `logs`."""
import re
import signal
import time
import unittest

from harness import wait_until
from monitor_lab import SECRET, MonitorTest, make_keys


class WatchTest(MonitorTest):
    def watch(self, command, *flags, secret=SECRET, port=None, certificate=None, wait=True):
        """Runs `sparklesworker status` or `logs`, to its end or in the background."""
        watcher = self.lab.start(
            command, "--address", f"localhost:{port or self.lab.port}",
            "--certFile", certificate or self.lab.certificate_file, *flags,
            environment={"SPARKLES_MONITOR_SECRET": secret})
        return watcher.wait() if wait else watcher

    def logs(self, *flags, task="job.1", **options):
        return self.watch("logs", "--task", task, *flags, **options)

    def assert_says(self, watcher, exit_code, *words):
        self.assertEqual(watcher.exit_code, exit_code, watcher.stderr)
        self.assertEqual(watcher.stdout, "")
        for word in words:
            self.assertIn(word, watcher.stderr)
        self.assertNotIn(SECRET, watcher.stderr)

    def raw_output(self, watcher):
        return watcher._stdout_path.read_bytes()


class WatchRunningTaskTest(WatchTest):
    def test_status_shows_machine_load(self):
        self.start_task("true")
        wait_until(lambda: self.watch("status").exit_code == 0, "the Monitor answers")
        watcher = self.watch("status")
        self.assertRegex(watcher.stdout, r"processes +\d+, resident [\d.]+ [KMG]?B")
        self.assertRegex(watcher.stdout, r"processors +user [\d.]+%, system [\d.]+%")
        self.assertRegex(watcher.stdout, r"memory +[\d.]+ \wB of [\d.]+ \wB in use \([\d.]+%\)")
        self.assertRegex(watcher.stdout, r"memory pressure +some (unknown|[\d.]+%)")
        self.end()

    def test_logs_prints_current_log(self):
        self.start_task("printf 'caf\\351\\000\\377\\n'")  # two bytes are not UTF-8
        watcher = wait_until(lambda: (each := self.logs()).stdout and each, "something is printed")
        self.assertEqual((watcher.exit_code, self.raw_output(watcher)), (0, b"caf?\0?\n"))
        self.end()

    def test_logs_follows_task_to_end(self):
        self.start_task("head -c 3000000 /dev/zero | tr '\\0' x; echo", "--shutdownAfter", "30")
        watcher = self.logs("--follow", wait=False)
        wait_until(lambda: len(self.raw_output(watcher)) == 3_000_001, "the log is printed")
        self.assertIsNone(watcher.exit_code)
        self.gate.touch()
        self.assertEqual(watcher.wait().exit_code, 0, watcher.stderr)
        self.wait_for_status("job.1", "complete")
        self.assertEqual(self.raw_output(watcher),
                         self.lab.read(self.lab.url("job.1/stdout.txt")))

    def test_logs_shows_end_of_last_task(self):
        for _ in range(3):  # on a busy machine a follower may miss the worker's three seconds
            self.start_task("echo first; sleep 1.2; echo last")
            watcher = self.logs("--follow", wait=False)
            wait_until(lambda: "first" in watcher.stdout, "the first line is printed")
            self.gate.touch()
            watcher.wait()
            self.worker.wait()
            if watcher.stdout == "first\nlast\n":
                break
            self.gate.unlink()
        self.assertEqual(watcher.exit_code, 0, watcher.stderr)
        self.assertEqual(watcher.stdout, "first\nlast\n")

    def test_logs_restarts_after_truncation(self):
        more = self.lab.directory / "more"
        self.start_task(f"echo a long first line; while [ ! -e {more} ]; do sleep 0.02; done\n"
                        "truncate -s 0 /proc/self/fd/1; sleep 1; echo new", "--shutdownAfter", "30")
        watcher = self.logs("--follow", wait=False)
        wait_until(lambda: "first" in watcher.stdout, "the first line is printed")
        more.touch()
        wait_until(lambda: "new" in watcher.stdout, "the new line is printed")
        self.gate.touch()
        self.assertEqual(watcher.wait().stdout, "a long first line\nnew\n")
        self.assertIn("has cut its log", watcher.stderr)

    def test_killed_worker_is_reported(self):
        self.start_task("echo hello")
        watcher = self.logs("--follow", wait=False)
        wait_until(lambda: "hello" in watcher.stdout, "the line is printed")
        # KILL, because TERM would make the worker report the end of the log.
        self.worker.signal(signal.SIGKILL)
        self.worker.wait()
        self.assertEqual(watcher.wait(90).exit_code, 1)
        self.assertIn(f"localhost:{self.lab.port}: the worker cannot be reached any more",
                      watcher.stderr)
        self.assertIn("stdout_url", watcher.stderr)

    def test_silent_worker_is_awaited(self):
        self.start_task("echo hello", "--shutdownAfter", "30")
        watcher = self.logs("--follow", wait=False)
        wait_until(lambda: "hello" in watcher.stdout, "the line is printed")
        self.worker.signal(signal.SIGSTOP)
        time.sleep(23)
        self.assertIsNone(watcher.exit_code, watcher.stderr)
        self.worker.signal(signal.SIGCONT)
        self.gate.touch()
        self.assertEqual(watcher.wait().exit_code, 0, watcher.stderr)
        self.assertEqual(watcher.stdout, "hello\n")


class WatchErrorsTest(WatchTest):
    def test_secret_comes_from_file_or_environment(self):
        self.start_task("echo hello")
        file = self.lab.directory / "secret"
        file.write_text(SECRET + "\n", encoding="utf-8")
        wait_until(lambda: "hello" in self.logs().stdout, "the line is printed")
        self.assertIn("hello", self.logs("--secretFile", file, secret="wrong").stdout)
        self.assert_says(self.logs(secret="wrong"), 1, "the secret is not this worker's")
        self.assert_says(self.logs(secret=""), 2, "--secretFile", "SPARKLES_MONITOR_SECRET")
        self.assert_says(self.logs("--secretFile", "/nowhere"), 2, "/nowhere")
        file.write_text("\n", encoding="utf-8")
        self.assert_says(self.logs("--secretFile", file), 2, str(file))
        self.end()

    def test_secret_is_trimmed_and_checked(self):
        self.start_task("echo hello")
        file = self.lab.directory / "secret"
        file.write_bytes(SECRET.encode() + b" \r\n")
        wait_until(lambda: "hello" in self.logs("--secretFile", file).stdout, "the line is printed")
        self.assertIn("hello", self.logs(secret=SECRET + "\r").stdout)
        self.assert_says(self.logs(secret="secr\u00e8t"), 2, "SPARKLES_MONITOR_SECRET: ")
        file.write_text("secr\u00e8t\n", encoding="utf-8")
        self.assert_says(self.watch("status", "--secretFile", file), 2, f"{file}: ")
        self.end()

    def test_other_certificate_is_refused(self):
        self.start_task("echo hello")
        wait_until(lambda: "hello" in self.logs().stdout, "the line is printed")
        other = self.lab.directory / "other"
        other.mkdir()
        certificate, key = make_keys(other)
        self.assert_says(self.logs(certificate=certificate), 1, "ertificate")
        self.assert_says(self.logs(certificate=key), 2, str(key), "PEM")
        self.assert_says(self.logs(certificate="/nowhere"), 2, "/nowhere")
        self.end()

    def test_unknown_task_and_absent_worker_differ(self):
        self.start_task("echo hello")
        wait_until(lambda: "hello" in self.logs().stdout, "the line is printed")
        self.assert_says(self.logs(task="job.2"), 1, "task job.2 is not running here")
        self.assert_says(self.logs("--follow", task="job.2"), 1, "task job.2 is not running here")
        self.end()
        gone = self.watch("status")
        self.assert_says(gone, 1, f"localhost:{self.lab.port}: ")
        self.assertTrue(re.search("refused|connect", gone.stderr), gone.stderr)


if __name__ == "__main__":
    unittest.main()
