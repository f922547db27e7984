"""Tests of the GPU record, with scripts in the place of nvidia-smi."""
import os
import re
import shutil
import signal
import unittest

from gcloud.ports import free_port
from harness import BINARY, LabTest, children_of, processes_of, state_of, wait_until
from test_cloud_health import ask

MIB = 1 << 20
FIXED_PLACES = ("/usr/bin/nvidia-smi", "/usr/local/nvidia/bin/nvidia-smi")


class GpuTest(LabTest):
    """`self.smi` has the pids of all processes of nvidia-smi, one a line."""

    def setUp(self):
        super().setUp()
        self.smi = self.lab.directory / "smi.pids"
        self.gate = self.lab.directory / "gate"
        self.bin = self.lab.directory / "bin"
        self.bin.mkdir()
        self.port = free_port()
        # These processes do not have the mark of the lab.
        self.addCleanup(lambda: [os.kill(pid, signal.SIGKILL) for pid in self.alive()])

    def install(self, body):
        """Installs the shell script `body` as nvidia-smi, in which $pids is the file of pids."""
        program = self.bin / "nvidia-smi"
        program.write_text(f"#!/bin/sh\npids={self.smi}\necho $$ >> $pids\n{body}\n",
                           encoding="utf-8")
        program.chmod(0o755)
        self.environment = {"PATH": f"{self.bin}:{os.environ['PATH']}"}

    def start(self, *flags, **options):
        return self.lab.start_consume("--healthPort", str(self.port), *flags,
                                      environment=self.environment, **options)

    def waiting_task(self, name, then="true"):
        return self.lab.task(name, f"while [ ! -e {self.gate} ]; do sleep 0.05; done; {then}")

    def pids(self):
        text = self.smi.read_text(encoding="utf-8") if self.smi.exists() else ""
        return [int(line) for line in text.splitlines() if line]

    def alive(self):
        return [pid for pid in self.pids() if state_of(pid) not in ("", "Z", "X")]

    def wait_for_smi(self, count=1):
        wait_until(lambda: len(self.pids()) >= count, "nvidia-smi runs")

    def assert_smi_ends(self):
        self.assertTrue(self.pids(), "there was no nvidia-smi")
        wait_until(lambda: not self.alive(), "nvidia-smi has ended")

    def metrics(self):
        _, text = ask(self.port, "/metrics") or (None, "")
        return dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")

    def has_sample(self, gpu=0):
        return f'sparkles_gpu_memory_used_bytes{{gpu="{gpu}"}}' in self.metrics()

    def wait_for_sample(self):
        wait_until(self.has_sample, "the metrics show a sample")

    def gpus(self, name):
        return self.lab.result(name)["machine_stats"].get("gpus")

    def wait_for_status(self, name, status):
        wait_until(lambda: self.lab.states().get(name) and
                   self.lab.states()[name].status == status, f"{name} is {status}")


class Record(GpuTest):
    def test_two_gpus_are_recorded(self):
        self.install("""echo $# "$@" > $pids.arguments
            echo '0, Tesla T4, 15360, 100, 10'
            echo '1, NVIDIA A100-SXM4-40GB, 40960, 2000, [N/A]'
            echo '0, Tesla T4, 15360, 300, 50'
            echo '0, Tesla T4, 15360, 200, 30'
            exec sleep 1000""")
        self.lab.write_tasks([self.waiting_task("a.1")])
        worker = self.start("--shutdownAfter", "600")
        wait_until(lambda: self.metrics().get('sparkles_gpu_utilization_percent{gpu="0"}') == "30",
                   "the metrics show the last sample")
        metrics = {name: value for name, value in self.metrics().items() if "gpu" in name}
        self.assertEqual(metrics, {
            'sparkles_gpu_utilization_percent{gpu="0"}': "30",
            'sparkles_gpu_memory_used_bytes{gpu="0"}': str(200 * MIB),
            'sparkles_gpu_memory_used_bytes{gpu="1"}': str(2000 * MIB),
            'sparkles_gpu_memory_total_bytes{gpu="0"}': str(15360 * MIB),
            'sparkles_gpu_memory_total_bytes{gpu="1"}': str(40960 * MIB)})
        self.gate.touch()
        self.wait_for_status("a.1", "complete")
        self.assertEqual(self.gpus("a.1"), [
            {"index": 0, "name": "Tesla T4", "memory_total": 15360 * MIB,
             "max_memory_used": 300 * MIB, "max_gpu_percent_usage": 50.0,
             "median_gpu_percent_usage": 30.0, "samples": 3},
            {"index": 1, "name": "NVIDIA A100-SXM4-40GB", "memory_total": 40960 * MIB,
             "max_memory_used": 2000 * MIB, "samples": 1}])
        self.assertNotIn("sparkles_gpu", " ".join(self.metrics()), "no task runs")
        self.assert_smi_ends()
        self.assertEqual((self.lab.directory / "smi.pids.arguments").read_text(encoding="utf-8"),
                         "3 --query-gpu=index,name,memory.total,memory.used,utilization.gpu "
                         "--format=csv,noheader,nounits --loop=1\n")
        worker.signal(signal.SIGUSR1)
        self.assertEqual(worker.wait().exit_code, 0, worker.stderr)

    def test_command_sees_no_nvidia_smi(self):
        self.install("""(setsid sh -c 'echo $$ >> '$pids'; exec sleep 1000' &)
            for i in 1 2 3 4 5 6; do sleep 1000 & echo $! >> $pids; done
            echo noise >&2; echo '0, A, 100, 10, 20'; wait""")
        self.lab.write_tasks([self.waiting_task(
            "a.1", "env; ls -l /proc/self/fd; ps -o args= --ppid $PPID; ps -o args= -s $$")])
        worker = self.start()
        self.wait_for_smi(8)
        self.wait_for_sample()
        self.gate.touch()
        self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        self.assert_complete("a.1")
        self.assertEqual(len(self.gpus("a.1")), 1)
        log = self.lab.log("a.1")
        self.assertIn("ps -o args=", log)
        for word in ("nvidia-smi", "noise", "sleep 1000"):
            self.assertNotIn(word, log)
        self.assertEqual(len(re.findall(r" \d+ -> ", log)), 4, "0 to 2, and the directory of ls")
        self.assertLessEqual(self.lab.result("a.1")["resource_usage"]["peak_processes"], 3)
        self.assertNotIn("outlived", worker.stderr)
        self.assertNotIn("noise", worker.stderr)
        self.assert_smi_ends()

    def test_each_slot_records_gpus(self):
        self.install("echo '0, A, 100, 10, 20'; exec sleep 1000")
        self.lab.write_tasks([self.waiting_task("a.1"), self.waiting_task("a.2")])
        worker = self.start("--slots", "2")
        self.wait_for_smi(2)
        self.wait_for_sample()
        self.assertEqual(self.metrics()['sparkles_gpu_utilization_percent{gpu="0"}'], "20")
        self.gate.touch()
        self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        self.assertTrue(self.gpus("a.1") or self.gpus("a.2"))
        self.assert_smi_ends()

    def test_machine_without_gpu_has_no_process(self):
        if shutil.which("nvidia-smi") or any(map(os.path.exists, FIXED_PLACES)):
            self.skipTest("this machine has an nvidia-smi")
        self.environment = {}
        self.lab.write_tasks([self.waiting_task("a.1")])
        worker = self.start()
        self.wait_for_status("a.1", "claimed")
        self.assertEqual(len(children_of(worker.pid)), 1, "only the launcher of the commands")
        self.gate.touch()
        self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        self.assertIsNone(self.gpus("a.1"))


class Hostile(GpuTest):
    def run_with(self, body, ready):
        """Runs a task until `ready`, and then a task of 0 s, beside such an nvidia-smi."""
        self.install(body)
        self.lab.write_tasks([self.waiting_task("a.1"), self.lab.task("a.2", "echo short")])
        worker = self.start()
        self.wait_for_smi()
        wait_until(ready, "nvidia-smi has done its worst")
        self.gate.touch()
        self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        self.assert_complete("a.1")
        self.assert_complete("a.2")
        self.assertEqual(self.lab.log("a.1"), "")
        self.assertNotIn("WARNING", worker.stderr)
        self.assert_smi_ends()
        return self.gpus("a.1")

    def file_exists(self, name):
        return lambda: (self.lab.directory / name).exists()

    def test_silent_program_gives_no_record(self):
        gpus = self.run_with("trap '' TERM HUP INT; while :; do sleep 1000; done", lambda: True)
        self.assertIsNone(gpus)

    def test_failing_program_is_started_once(self):
        gpus = self.run_with("echo 'Failed to initialize NVML' >&2; echo x > ${pids}.done; exit 9",
                             self.file_exists("smi.pids.done"))
        self.assertIsNone(gpus)
        self.assertEqual(len(self.pids()), 1)

    def test_implausible_lines_are_ignored(self):
        gpus = self.run_with(
            """seq -f '%g, A, 99999999999999999999, -1, 101' 500
            head -c 30000 /dev/zero | tr '\\0' ','
            echo
            head -c 10000 /dev/urandom
            echo
            printf '3, B, \\033[31m, and C, 100, 10, [N/A]\\n4, unfinished, 100, 10'
            exec sleep 1000""",
            lambda: self.has_sample(3))
        # Random bytes are hardly ever a sample.
        self.assertEqual(gpus, [{"index": 3, "name": "B, \\x1b[31m, and C",
                                 "memory_total": 100 * MIB, "max_memory_used": 10 * MIB,
                                 "samples": 1}])

    def test_endless_output_is_harmless(self):
        gpus = self.run_with("exec yes '0, A, 100, 10, 20'", self.has_sample)
        self.assertEqual([gpu["name"] for gpu in gpus], ["A"])

    def test_endless_line_is_harmless(self):
        self.assertIsNone(self.run_with("exec tr '\\0' 0 < /dev/zero", lambda: True))

    def test_hung_program_delays_no_task(self):
        """The stopped launcher of nvidia-smi stands for one that hangs in the kernel."""
        self.install("echo '0, A, 100, 10, 20'; exec sleep 1000")
        second_gate = self.lab.directory / "second"
        self.lab.write_tasks([
            self.waiting_task("a.1"),
            *[self.lab.task(f"b.{i}", "true") for i in range(5)],
            self.lab.task("c.1", f"while [ ! -e {second_gate} ]; do sleep 0.05; done")])
        worker = self.start()
        self.wait_for_sample()
        side_launcher = children_of(worker.pid)[1]
        os.kill(side_launcher, signal.SIGSTOP)
        self.gate.touch()
        self.wait_for_status("c.1", "claimed")
        # Six tasks have ended, and the hung program has not.
        self.assertEqual(self.alive(), self.pids())
        self.assertEqual(len(self.pids()), 1)
        self.assertEqual(len(self.gpus("a.1")), 1)
        second_gate.touch()
        self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        for name in ("a.1", "b.0", "b.4", "c.1"):
            self.assert_complete(name)
        self.assertIsNone(self.gpus("c.1"))
        self.assert_smi_ends()


class Kills(GpuTest):
    TWO_PROCESSES = "sleep 1000 & echo $! >> $pids; echo '0, A, 100, 10, 20'; wait"

    def start_long_task(self):
        self.install(self.TWO_PROCESSES)
        self.lab.write_tasks([self.waiting_task("a.1"), self.waiting_task("a.2")])
        worker = self.start()
        self.wait_for_smi(2)
        return worker

    def test_killed_worker_leaves_no_nvidia_smi(self):
        worker = self.start_long_task()
        children = children_of(worker.pid)
        worker.signal(signal.SIGKILL)
        worker.wait(10)
        self.assert_smi_ends()
        wait_until(lambda: all(state_of(pid) in ("", "Z", "X") for pid in children),
                   "both launchers have ended")

    def test_stop_leaves_no_nvidia_smi(self):
        worker = self.start_long_task()
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(30).exit_code, 143, worker.stderr)
        self.assert_smi_ends()

    def test_killed_launcher_ends_nvidia_smi(self):
        worker = self.start_long_task()
        first = self.pids()
        os.kill(children_of(worker.pid)[0], signal.SIGKILL)
        wait_until(lambda: not set(first) & set(self.alive()), "its nvidia-smi has ended")
        self.wait_for_status("a.2", "claimed")
        self.wait_for_smi(4)  # of the next task
        self.gate.touch()
        self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        self.assert_failed("a.1", "launcher")
        self.assert_complete("a.2")
        self.assertEqual(len(self.gpus("a.2")), 1)
        self.assert_smi_ends()


@unittest.skipIf(os.geteuid() != 0, "needs the right to become another user")
class UnkillableProgram(GpuTest):
    def test_unkillable_program_blocks_nothing(self):
        """A process of root stands for an nvidia-smi that hangs in the kernel."""
        for directory in (self.lab.directory, self.lab.store):
            directory.chmod(0o777)
        program, rise = self.lab.directory / "sparklesworker", self.lab.directory / "rise"
        shutil.copy(BINARY, program)
        shutil.copy("/usr/bin/setpriv", rise)
        rise.chmod(0o4755)
        self.install(f"exec {rise} --reuid 0 --regid 0 --clear-groups "
                     f"env SPARKLES_LAB={self.lab.directory} sleep 1000")
        self.lab.write_tasks([self.waiting_task("a.1"), self.lab.task("a.2", "exit 3")])
        worker = self.start(program=program, user=60000 + os.getpid() % 5000)
        self.wait_for_smi()
        smi, = self.pids()
        wait_until(lambda: smi in processes_of(self.lab.directory), "it belongs to root")
        self.gate.touch()
        self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        self.assert_complete("a.1")
        self.assert_complete("a.2", "3")
        self.assertEqual(self.alive(), [smi])
        self.assertNotIn("WARNING", worker.stderr)
        os.kill(smi, signal.SIGKILL)
        self.assert_smi_ends()


if __name__ == "__main__":
    unittest.main()
