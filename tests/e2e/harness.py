"""Runs the shipped binary. A `Lab` is a directory with a tasks file, a store and a worker's data.

Every process of a lab has the lab's directory in its environment. So processes that a worker leaves
behind are found in /proc, with any parent, and are ended by pid.
"""
import functools
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest

BINARY = os.path.abspath(os.environ.get("SPARKLES_BINARY", "build/native/sparklesworker"))
LANE = os.environ.get("SPARKLES_LANE", "native")
SANITIZED = LANE in ("asan", "tsan", "fuzz")
SLOWNESS = 4 if SANITIZED else 1  # factor on time limits
MARK = "SPARKLES_LAB"
SANITIZER_REPORT = re.compile(r"(ERROR|WARNING): \w+Sanitizer|: runtime error: ")
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) +\S")


def sanitizer_report(text):
    return bool(SANITIZER_REPORT.search(text))


def processes_of(directory):
    """Pids of the living processes of the labs in or below `directory`."""
    mark = f"{MARK}={directory}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                environment = pathlib.Path("/proc", entry, "environ").read_bytes()
            except OSError:
                continue  # the process has ended, or belongs to another user
            if any(variable.startswith(mark) for variable in environment.split(b"\0")):
                found.append(int(entry))
    return [pid for pid in found if pid != os.getpid()]


def proc_text(pid, name):
    """The text of a file of a process in /proc; "" if the process is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def state_of(pid):
    """The letter of the process state; "Z" for a zombie, "" if the process is gone."""
    return proc_text(pid, "stat").rpartition(") ")[2][:1]


def children_of(pid):
    return [int(each) for each in proc_text(pid, f"task/{pid}/children").split()]


def slots_of(parent):
    """{slot: process id} of the slots of a worker that run."""
    slots = {}
    for pid in children_of(parent.pid):
        words = proc_text(pid, "cmdline").split("\0")
        if len(words) > 2 and words[1] == "(slot)":
            slots[int(words[2].partition("/")[0])] = pid
    return slots


def kill_processes_of(directory):
    for _ in range(100):
        pids = processes_of(directory)
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.02)


def remove_tree(directory):
    """Removes a tree of any depth, where the recursion of shutil.rmtree fails."""
    subprocess.run(["chmod", "-R", "u+rwx", directory], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["rm", "-rf", directory], check=False)


def wait_until(condition, what, seconds=20.0):
    """Polls `condition` until its result is true, and returns the result."""
    deadline = time.monotonic() + seconds * SLOWNESS
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds * SLOWNESS} s still not: {what}")
        time.sleep(0.005)


def _crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC32C = _crc32c_table()


@functools.cache
def crc32c(data):
    """CRC-32C by the textbook, to check the worker's own implementation."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC32C[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


class Worker:
    """A running binary. `stderr` and `stdout` are its output so far."""

    def __init__(self, process, stdout_path, stderr_path):
        self.process = process
        self.pid = process.pid
        self._stdout_path = stdout_path
        self._stderr_path = stderr_path

    @property
    def stdout(self):
        return self._stdout_path.read_bytes().decode("utf-8", "replace")

    @property
    def stderr(self):
        return self._stderr_path.read_bytes().decode("utf-8", "replace")

    @property
    def exit_code(self):
        return self.process.poll()

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=60.0):
        try:
            self.process.wait(seconds * SLOWNESS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds * SLOWNESS} s:\n{self.stderr}") \
                from None
        return self


class TaskState:
    """All lines of the state file about one task; the attributes have the latest values."""

    def __init__(self):
        self.lines = []

    def __getattr__(self, name):
        if name in ("status", "owner", "version", "exit_code", "failure_reason", "timestamp"):
            return self.lines[-1].get(name)
        raise AttributeError(name)

    def count(self, status):
        return sum(line["status"] == status for line in self.lines)


class Lab:
    def __init__(self, directory=None):
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="lab-"))
        self.store = self.directory / "store"
        self.tasks_dir = self.directory / "tasks"
        self.cache_dir = self.directory / "cache"
        self.tasks_file = self.directory / "tasks.json"
        self.state_file = self.directory / "tasks.json.state"
        self.store.mkdir()
        self.worker_was_killed = False
        self._workers = []

    # --- parts of a task

    def url(self, path):
        return f"file://{self.store}/{path}"

    def put(self, path, content):
        """Stores an object; returns its URL."""
        file = self.store / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return self.url(path)

    def put_cas(self, content):
        return self.put(f"cas/{hashlib.sha256(content).hexdigest()}", content)

    @staticmethod
    def download(src_url, dst, is_cas_key=False, executable=False, symlink_safe=False):
        return {"src_url": src_url, "dst": dst, "executable": executable,
                "is_cas_key": is_cas_key, "symlink_safe": symlink_safe}

    def spec(self, name, command, **changes):
        """A task spec like one of the command line, with results in store/NAME/."""
        spec = {
            "working_dir": ".",
            "command": command,
            "parameters": {"index": "1"},
            "downloads": [],
            "uploads": {"include_patterns": ["**"], "exclude_patterns": [],
                        "dst_url": self.url(name)},
            "command_result_url": self.url(f"{name}/result.json"),
            "stdout_url": self.url(f"{name}/stdout.txt"),
        }
        spec.update(changes)
        return spec

    def task(self, name, command, **changes):
        return {"task_id": name, "args": self.spec(name, command, **changes)}

    def write_tasks(self, tasks):
        self.tasks_file.write_text(json.dumps(tasks), encoding="utf-8")

    # --- running

    def start(self, *arguments, program=BINARY, environment=None, **popen):
        """Starts the binary (or a copy of it, `program`) with `arguments`."""
        number = len(self._workers)
        out = self.directory / f"stdout-{number}.log"
        err = self.directory / f"stderr-{number}.log"
        full_environment = {**os.environ, **(environment or {}), MARK: str(self.directory)}
        with open(out, "wb") as stdout, open(err, "wb") as stderr:
            streams = {"stdin": subprocess.DEVNULL, "stdout": stdout, "stderr": stderr}
            process = subprocess.Popen([program, *map(str, arguments)], cwd=self.directory,
                                       env=full_environment, **{**streams, **popen})
        self._workers.append(Worker(process, out, err))
        return self._workers[-1]

    def run(self, *arguments, seconds=60.0, **options):
        return self.start(*arguments, **options).wait(seconds)

    def consume_arguments(self, *flags):
        return ("consume", "--tasksFile", self.tasks_file, "--tasksDir", self.tasks_dir,
                "--cacheDir", self.cache_dir, "--durable=false", *flags)

    def start_consume(self, *flags, **options):
        return self.start(*self.consume_arguments(*flags), **options)

    def consume(self, *flags, seconds=60.0, **options):
        return self.start_consume(*flags, **options).wait(seconds)

    # --- results

    def states(self):
        """{task id: TaskState} in the order of first appearance."""
        states = {}
        lines = []
        if self.state_file.exists():
            lines = self.state_file.read_text(encoding="utf-8").splitlines(True)
        if lines and self.worker_was_killed and not lines[-1].endswith("\n"):
            lines.pop()
        if lines:
            assert json.loads(lines[0]) == {"format": "sparkles-state-1"}, lines[0]
            for line in map(json.loads, lines[1:]):
                states.setdefault(line["task_id"], TaskState()).lines.append(line)
        return states

    def read(self, url):
        return pathlib.Path(url.removeprefix("file://")).read_bytes()

    def result(self, name):
        return json.loads((self.store / name / "result.json").read_text(encoding="utf-8"))

    def log(self, name):
        return (self.store / name / "stdout.txt").read_bytes().decode("utf-8", "replace")

    def stored(self, name):
        """{relative path: content} of the uploads below store/NAME/."""
        top = self.store / name
        return {str(path.relative_to(top)): path.read_bytes()
                for path in sorted(top.rglob("*"))
                if path.is_file() and not self._may_stay(path)}

    def _may_stay(self, path):
        """Ignores temporary names, which a kill -9 during the replacement of an object leaves."""
        return self.worker_was_killed and path.name.startswith(".sparkles-")

    def outputs(self, name):
        """Relative paths of the uploads, except the task's log and result.json."""
        return sorted(set(self.stored(name)) - {"result.json", "stdout.txt"})

    def processes(self):
        return processes_of(self.directory)

    def close(self):
        """Ends the remaining processes, removes the directory, and fails on sanitizer reports."""
        kill_processes_of(self.directory)
        reports = []
        for worker in self._workers:
            worker.process.wait()
            reports += [worker.stderr] if sanitizer_report(worker.stderr) else []
        remove_tree(self.directory)
        if reports:
            raise AssertionError("\n".join(reports))


class LabTest(unittest.TestCase):
    """A test with its own lab."""

    maxDiff = None
    longMessage = True

    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)

    def run_tasks(self, *tasks, flags=(), exit_code=0, seconds=60.0):
        """Runs `tasks` to the end; returns the finished worker."""
        self.lab.write_tasks(tasks)
        worker = self.lab.consume(*flags, seconds=seconds)
        self.assertEqual(worker.exit_code, exit_code, worker.stderr)
        return worker

    def assert_complete(self, name, exit_code="0"):
        state = self.lab.states()[name]
        self.assertEqual(state.status, "complete", state.lines)
        self.assertEqual(state.exit_code, exit_code, state.lines)

    def assert_failed(self, name, *words):
        """Checks that the task failed, with all `words` in the reason, in all three places."""
        state = self.lab.states()[name]
        self.assertEqual(state.status, "failed", state.lines)
        for word in words:
            self.assertIn(word, state.failure_reason)

    def assert_delivered(self, name):
        """Checks that result.json lists exactly the stored files, with sizes and checksums."""
        result = self.lab.result(name)
        stored = self.lab.stored(name)
        listed = {}
        for file in result["files"]:
            path = file["dst_url"].removeprefix(self.lab.url(name) + "/")
            listed[path] = (file["size"], file["crc32c"])
        del stored["result.json"]
        actual = {path: (len(data), crc32c(data)) for path, data in stored.items()}
        self.assertEqual(listed, actual)
