"""Tests of the health port: probes and metrics of working, stopping and stuck workers."""
import contextlib
import http.client
import os
import pathlib
import re
import signal
import socket
import unittest

from cloud_lab import CloudLabTest
from gcloud.ports import free_port
from harness import LabTest, wait_until


def ask(port, path):
    """(status, text), or None if no process listens."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        link.request("GET", path)
        answer = link.getresponse()
        return answer.status, answer.read().decode()
    except ConnectionError:
        return None
    finally:
        link.close()


def status(port, path):
    answer = ask(port, path)
    return answer and answer[0]


def metric(port, name):
    _, text = ask(port, "/metrics") or (None, "no answer")
    for line in text.splitlines():
        if line.startswith(name + " "):
            return float(line.rpartition(" ")[2])
    raise AssertionError(f"no {name} in:\n{text}")


def listening(pid):
    """The number of TCP sockets on which the process listens."""
    ours = set()
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            ours.add(os.readlink(entry))
    count = 0
    for family in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/{pid}/net/{family}").read_text().splitlines()[1:]:
            words = line.split()
            count += words[3] == "0A" and f"socket:[{words[9]}]" in ours
    return count


class Health(LabTest):
    def test_probes_and_metrics_follow_state(self):
        port, gate = free_port(), self.lab.directory / "gate"
        content = b"x" * 1000
        inputs = [self.lab.download(self.lab.put_cas(content), "in", is_cas_key=True)]
        self.lab.write_tasks([
            self.lab.task("a.1", "cat in > out", downloads=inputs),
            self.lab.task("a.2", "exit 1", downloads=inputs),
            {"task_id": "a.3", "args": "no spec"},
            self.lab.task("a.4", f"trap 'sleep 1' TERM; touch {gate}; sleep 60 & wait; wait"),
        ])
        worker = self.lab.start_consume("--healthPort", str(port))
        wait_until(gate.exists, "the last task runs")
        self.assertEqual(ask(port, "/healthz"), (200, "ok\n"))
        self.assertEqual(ask(port, "/readyz"), (200, "ok\n"))
        self.assertEqual(status(port, "/"), 404)
        for name, value in (("sparkles_tasks_claimed_total", 4),
                            ('sparkles_tasks_total{outcome="complete"}', 2),
                            ('sparkles_tasks_total{outcome="failed"}', 1),
                            ("sparkles_task_running", 1),
                            ('sparkles_cache_lookups_total{result="hit"}', 1),
                            ('sparkles_cache_lookups_total{result="miss"}', 1),
                            ('sparkles_transfer_bytes_total{direction="download"}', 1000),
                            ('sparkles_queue_call_seconds_count{call="claim"}', 4)):
            self.assertEqual(metric(port, name), value, name)
        self.assertGreater(metric(port, 'sparkles_transfer_bytes_total{direction="upload"}'), 1000)
        worker.signal(signal.SIGUSR1)  # drains: it finishes its task and claims no other
        wait_until(lambda: status(port, "/readyz") == 503, "the worker is not ready")
        self.assertEqual(metric(port, "sparkles_task_running"), 1)
        worker.signal(signal.SIGTERM)
        worker.wait()
        summary = [line for line in worker.stderr.splitlines() if "summary: " in line]
        self.assertEqual(len(summary), 1, worker.stderr)
        self.assertRegex(summary[0], "claimed 4, complete 2, failed 1, killed 0, handed back 1, ")

    def test_health_port_is_opt_in(self):
        begun = self.lab.directory / "begun"
        self.lab.write_tasks([self.lab.task("a.1", f"touch {begun}; sleep 60")])
        for flags, listeners in (((), 0), (("--healthPort", str(free_port())), 1)):
            worker = self.lab.start_consume(*flags)
            wait_until(begun.exists, "the task runs")
            self.assertEqual(listening(worker.pid), listeners, flags)
            worker.signal(signal.SIGTERM)
            worker.wait()
            begun.unlink()

    def test_busy_port_does_not_stop_tasks(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = listener.getsockname()[1]
            worker = self.run_tasks(self.lab.task("a.1", "true"), flags=("--healthPort", str(port)))
        self.assertRegex(worker.stderr, re.escape(f"--healthPort: 127.0.0.1 port {port}: "))
        self.assert_complete("a.1")

    def test_invalid_address_is_named(self):
        worker = self.run_tasks(self.lab.task("a.1", "true"), flags=(
            "--healthPort", str(free_port()), "--healthAddress", "nowhere"))
        self.assertIn("nowhere: not a numeric IP address", worker.stderr)


class Readiness(CloudLabTest):
    def test_unreachable_queue_is_not_ready(self):
        port = free_port()
        rule = self.fault(kind="datastore.*", action="status", code=503, count=0)
        worker = self.lab.start_consume("--healthPort", str(port), "--shutdownAfter", "60")
        wait_until(lambda: rule.strikes > 2, "the request arrives")
        self.assertEqual(status(port, "/readyz"), 503)
        self.assertEqual(status(port, "/healthz"), 200)
        wait_until(lambda: metric(port, 'sparkles_retries_total{service="datastore"}') > 0, "tries")
        self.cloud.faults.clear()
        wait_until(lambda: status(port, "/readyz") == 200, "the worker is ready")
        worker.signal(signal.SIGTERM)
        worker.wait()

    def test_stuck_worker_is_not_healthy(self):
        port = free_port()
        url = self.lab.put("input", b"x" * 1000)
        self.fault(kind="object.media", action="stall", seconds=60, response_bytes=100, count=0)
        self.lab.write_tasks([self.lab.task("a.1", "true", downloads=[
            self.lab.download(url, "input")])])
        worker = self.lab.start_consume("--timeout", str(5 / 60), "--healthPort", str(port))
        wait_until(lambda: status(port, "/healthz") == 200, "the worker runs")
        wait_until(lambda: status(port, "/healthz") == 503, "the worker is stuck")
        self.assertEqual(metric(port, "sparkles_stalled"), 1)
        self.assertEqual(worker.wait().exit_code, 6, worker.stderr)


if __name__ == "__main__":
    unittest.main()
