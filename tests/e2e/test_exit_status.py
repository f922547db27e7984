"""Tests of the exit status of a command and of the environment in which it runs."""
import ctypes
import os
import pwd
import resource
import signal
import struct
import unittest

from harness import SANITIZED, LabTest

# Signal -> name in result.json, which is that of Go's syscall package.
SIGNALS = {
    "HUP": "hangup", "INT": "interrupt", "QUIT": "quit", "ILL": "illegal instruction",
    "ABRT": "aborted", "FPE": "floating point exception", "KILL": "killed",
    "SEGV": "segmentation fault", "PIPE": "broken pipe", "ALRM": "alarm clock",
    "TERM": "terminated", "USR1": "user defined signal 1", "USR2": "user defined signal 2",
}


class ExitStatus(LabTest):
    def test_all_exit_codes_are_recorded(self):
        tasks = [self.lab.task(f"code.{code}", f"exit {code}") for code in range(256)]
        self.run_tasks(*tasks)
        states = self.lab.states()
        for code in range(256):
            state = states[f"code.{code}"]
            self.assertEqual((state.status, state.exit_code), ("complete", str(code)))
            self.assertEqual(self.lab.result(f"code.{code}")["return_code"], str(code))

    def test_signals_are_recorded(self):
        self.run_tasks(*[self.lab.task(f"s.{name}", f"kill -{name} $$") for name in SIGNALS])
        for name, text in SIGNALS.items():
            number = getattr(signal, f"SIG{name}")
            self.assert_complete(f"s.{name}", str(128 + number))
            self.assertEqual(self.lab.result(f"s.{name}")["return_code"], f"signaled({text})")

    def test_missing_command_gives_127(self):
        self.run_tasks(self.lab.task("t.1", "no-such-program-at-all"))
        self.assert_complete("t.1", "127")


class Leftovers(LabTest):
    def test_leftovers_end_before_next_task(self):  # D35
        # The first task waits until all processes have started, so that the check is not too early.
        seconds = str(40000 + os.getpid())
        stay = f"exec sleep {seconds}"
        ways = [
            f"({stay}) &",
            f"nohup sh -c '{stay}' > /dev/null 2>&1 &",
            f"setsid sh -c '{stay}' &",
            f"setsid sh -c '(setsid sh -c \"{stay}\" < /dev/null > /dev/null 2>&1 &) &'",
            f"sh -c 'trap \"\" TERM HUP INT; {stay}' &",
            f"(sh -c 'kill -STOP $$; {stay}') &",
        ]
        # Counts processes with the number as an argument. The brackets hide grep from itself.
        number = f"{seconds[:-1]}[{seconds[-1]}]"
        count = f"grep -lzx '{number}' /proc/[0-9]*/cmdline 2> /dev/null | wc -l"
        wait = f"n=0; while [ $({count}) -lt 5 ] && [ $n -lt 500 ]; do " \
               "n=$((n+1)); sleep 0.01; done"
        leaver = "\n".join(ways) + f"\n{wait}; {count}"
        self.run_tasks(self.lab.task("a.1", leaver), self.lab.task("a.2", count))
        self.assertGreaterEqual(int(self.lab.log("a.1")), 5)
        self.assertEqual(int(self.lab.log("a.2")), 0)
        self.assertEqual(self.lab.processes(), [])

    def test_background_child_does_not_delay_end(self):
        self.run_tasks(self.lab.task("a.1", "sleep 1000 & echo done"), seconds=20)
        self.assert_complete("a.1")
        self.assertEqual(self.lab.log("a.1"), "done\n")


def ignore_library_signal():
    """Ignores signal 32, which the C library reserves, so that sigaction refuses it."""
    system_calls = {"x86_64": 13, "aarch64": 134}  # rt_sigaction
    action = struct.pack("@4Q", 1, 0, 0, 0)  # SIG_IGN
    number = system_calls.get(os.uname().machine)
    if number is not None:
        ctypes.CDLL(None).syscall(number, 32, action, None, 8)


class CommandEnvironment(LabTest):
    def log_of(self, command, **options):
        self.lab.write_tasks([self.lab.task("job-7.12", command)])
        worker = self.lab.consume(**options)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        return self.lab.log("job-7.12")

    def test_stdin_is_empty(self):  # D21
        log = self.log_of("readlink /proc/$$/fd/0; cat; echo $?")
        self.assertEqual(log, "/dev/null\n0\n")

    def test_only_descriptors_0_to_2_are_open(self):
        extra = os.open("/dev/null", os.O_RDONLY)
        os.set_inheritable(extra, True)
        self.addCleanup(os.close, extra)
        log = self.log_of("ls /proc/$$/fd; true", close_fds=False)
        self.assertEqual(log.split(), ["0", "1", "2"])

    def test_stdout_and_stderr_append_to_log(self):
        log = self.log_of("echo 1; echo 2 >&2; grep flags /proc/$$/fdinfo/1")
        self.assertEqual(log.split()[:2], ["1", "2"])
        self.assertTrue(int(log.split()[-1], 8) & os.O_APPEND)

    def test_signal_state_is_default(self):
        def ignore_and_block():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.signal(signal.SIGUSR2, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
            ignore_library_signal()

        log = self.log_of("grep -E 'Sig(Blk|Ign)' /proc/self/status", preexec_fn=ignore_and_block)
        self.assertEqual(log.split(), ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16])

    def test_command_has_own_session_and_group(self):
        log = self.log_of("read -r pid name state parent group session rest < /proc/$$/stat; "
                          "echo $$ $group $session")
        self.assertEqual(len(set(log.split())), 1, log)

    def test_environment_names_task(self):
        log = self.log_of("env", environment={"CANARY": "of the worker"})
        lines = log.splitlines()
        for line in ("SPARKLES_TASK_ID=job-7.12", "SPARKLES_JOB_ID=job-7",
                     "SPARKLES_TASK_INDEX=12", "SPARKLES_ATTEMPT=1", "CANARY=of the worker"):
            self.assertIn(line, lines)

    def test_missing_login_variables_are_set(self):
        bare = {name: "" for name in ("HOME", "USER", "LOGNAME", "SHELL", "PATH", "TMPDIR")}
        names = "$HOME:$USER:$LOGNAME:$SHELL:$TMPDIR"
        log = self.log_of(f"echo {names}; mktemp; type mktemp; echo ${{LANG-unset}}",
                          environment={**bare, "LANG": "xx_YY"})
        home, user, login, shell, temp = log.splitlines()[0].split(":")
        self.assertEqual((user, login, shell), (pwd.getpwuid(os.getuid()).pw_name,) * 2 +
                         ("/bin/sh",))
        self.assertTrue(os.path.isdir(home), home)
        self.assertTrue(temp.startswith(f"{self.lab.tasks_dir}/task-"), temp)
        self.assertTrue(log.splitlines()[1].startswith(temp + "/"), log)
        self.assertTrue(log.endswith("xx_YY\n"), log)
        self.assertFalse(os.path.exists(temp))  # it is removed with its task
        self.assertEqual(self.lab.outputs("job-7.12"), [])

    def test_tmpdir_of_image_is_kept(self):
        self.assertEqual(self.log_of("echo $TMPDIR", environment={"TMPDIR": "/var/tmp"}),
                         "/var/tmp\n")

    def test_core_dumps_are_off_by_default(self):
        def raise_limit():
            hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
            resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

        crash = "ulimit -c; kill -SEGV $$"
        self.assertEqual(self.log_of(crash, preexec_fn=raise_limit), "0\n")
        self.assertEqual(self.lab.outputs("job-7.12"), [])
        self.lab.state_file.unlink()
        self.lab.write_tasks([self.lab.task("job-7.12", "ulimit -c; ulimit -H -c")])
        self.assertEqual(self.lab.consume("--coreDumps").exit_code, 0)
        soft, hard = self.lab.log("job-7.12").split()
        self.assertEqual(soft, hard)


@unittest.skipIf(SANITIZED, "a sanitizer's memory is in every number")
class Memory(LabTest):
    def peak_kb(self, command):
        self.run_tasks(self.lab.task("m.1", command))
        self.assert_complete("m.1")
        return self.lab.result("m.1")["resource_usage"]["max_memory_size"]

    def test_worker_memory_is_not_charged(self):  # D39
        self.assertLess(self.peak_kb("true"), 4096)

    def test_memory_of_new_launcher_is_not_charged(self):
        many = "mkdir d; cd d; seq 20000 | while read n; do : >a-rather-long-name-$n; done"
        uploads = {"include_patterns": ["**"], "dst_url": self.lab.url("grow.1")}
        # The first task makes the worker grow, and the second one kills the launcher.
        self.run_tasks(self.lab.task("grow.1", f"{many}; cd ..", uploads=uploads),
                       self.lab.task("kill.1", "kill -9 $PPID"), self.lab.task("m.1", "true"))
        self.assert_complete("grow.1")
        self.assertEqual(self.lab.states()["kill.1"].status, "failed")
        self.assert_complete("m.1")
        peak = self.lab.result("m.1")["resource_usage"]["max_memory_size"]
        self.assertLess(peak, 4096)

    def test_child_of_200_mb_shows_200_mb(self):
        fill = ("python3 -c \"import re; s = open('/proc/self/status').read(); "
                "own = int(re.search(r'VmRSS:\\s+(\\d+)', s)[1]); "
                "x = b'x' * ((200000 - own) * 1024)\"")
        self.assertAlmostEqual(self.peak_kb(f"{fill}; true"), 200000, delta=10000)


if __name__ == "__main__":
    unittest.main()
