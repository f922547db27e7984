#!/usr/bin/env python3
"""Chaos: kills, freezes and stops workers on several machines while the network fails.

Nothing is checked during the storm. Afterwards all tasks must end, and then the entities, the
objects and the exits of all workers must be consistent (chaos_judge.py), with every fault.
"""
import argparse
import collections
import contextlib
import hashlib
import os
import random
import signal
import sys
import tempfile
import time

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
from gcloud.server import Server  # noqa: E402
from harness import SLOWNESS, processes_of, slots_of  # noqa: E402
import chaos_judge  # noqa: E402
import cloud_lab  # noqa: E402

# big.bin is the same in each attempt, so it need not be uploaded again if it is in the store.
# The command prints a line too many if its checkpoint is of another task, or a mix of two saves.
COMMAND = """{stubborn}; saved="$SPARKLES_CHECKPOINT_DIR/state"
if [ -f "$saved" ] && [ "$(sort -u "$saved" | cut -d ' ' -f 1)" != "$SPARKLES_TASK_ID" ]; then
  echo "broken checkpoint: $(sort -u "$saved")"
fi
yes "$SPARKLES_TASK_ID $SPARKLES_ATTEMPT" | head -n 1000 > "$saved.tmp"; mv "$saved.tmp" "$saved"
me="$SPARKLES_TASK_ID attempt $SPARKLES_ATTEMPT in $(pwd -P)"; echo "$me"
sleep 0.0{pause}; mkdir -p sub; echo "$me" > sub/mark.txt; cat input.txt sub/mark.txt > copy.txt
head -c {size} /dev/zero | tr '\\0' '{letter}' > big.bin; echo done {letter}; sleep 0.{pause}"""
# A stubborn command ignores TERM for a minute, so the worker must kill it.
STUBBORN = (":", ":", "trap 'sleep 60' TERM")
GRACE = 3  # seconds
QUIT_AGAIN = 1.2  # seconds: a second TERM within this time counts as the same request
# Faults of the network; `count` is added.
FAULTS = (
    {"action": "cut", "kind": "datastore.commit", "apply": True},
    {"action": "cut", "kind": "datastore.commit"},
    {"action": "cut", "kind": "datastore.*"},
    {"action": "cut", "kind": "upload.*", "apply": True},
    {"action": "cut", "kind": "upload.*", "request_bytes": 3000},
    {"action": "cut", "kind": "object.*", "response_bytes": 5},
    {"action": "status", "code": 503, "kind": "datastore.*"},
    {"action": "status", "code": 500, "kind": "datastore.commit", "apply": True},
    {"action": "status", "code": 503, "kind": "upload.*", "apply": True},
    {"action": "status", "code": 429, "kind": "object.*", "retry_after": 1},
    {"action": "stall", "kind": "datastore.*", "seconds": 2},
    {"action": "stall", "kind": "upload.*", "seconds": 1},
    {"action": "corrupt", "kind": "object.*", "offset": 3},
    {"action": "corrupt", "kind": "upload.*", "offset": 900, "side": "request"},
)
# Faults of a machine's metadata server. A worker can work without it.
METADATA_FAULTS = (
    {"action": "status", "code": 503, "kind": "metadata.*"},
    {"action": "cut", "kind": "metadata.*"},
    {"action": "stall", "kind": "metadata.*", "seconds": 2},
)
ACTIONS = ("kill", "kill", "stop", "term", "fault", "fault", "fault", "fault", "down", "quit",
           "insist", "drain", "preempt", "metadata", "kill job", "kill slot")
MISSING = "missing-input"


class Machine:
    """A machine with one worker at a time and a metadata server of its own."""

    def __init__(self, lab, number):
        self.lab = lab
        self.number = number
        self.top = lab.directory / f"machine-{number}"
        self.metadata = Server()
        self.metadata.metadata.set("instance/name", f"vm-{number}")
        self.metadata.metadata.set("project/project-id", lab.datastore.project)
        self.owner = f"projects/123456/zones/us-east1-b/vm-{number}"
        self.worker = None
        self.done = set()  # causes for this worker's end, see chaos_judge.explained
        self.start_at = 0.0
        self.slots = 1 + number % 2
        self.wakes_at = None  # set while the worker is frozen
        self.stopped = []  # ids of the frozen processes
        self.quits_at = []  # times of further TERM signals
        self.ended = []  # (worker, causes of its end)
        self.past = chaos_judge.Past()  # of all workers of this machine
        self.told_at = None  # time of the first request to stop; None if the worker may miss it
        self.stops = 0  # number of TERM and INT signals
        self.frozen = False  # true if the worker was ever frozen
        self.stop_times = []  # seconds

    def start(self):
        self.lab.tasks_dir, self.lab.cache_dir = self.top / "tasks", self.top / "cache"
        self.metadata.metadata.set("instance/preempted", "FALSE")
        self.metadata.faults.clear()
        self.done, self.wakes_at, self.quits_at = set(), None, []
        self.told_at, self.stops, self.frozen = None, 0, False
        # A storm is short, so the grace and the wait with an empty queue are short too.
        self.worker = self.lab.start_consume(
            "--shutdownAfter", "1", "--grace", GRACE, "--checkpointEvery", "1",
            "--slots", self.slots,
            environment={"GCE_METADATA_HOST": self.metadata.address})

    def is_alive(self):
        return self.worker is not None and self.worker.exit_code is None

    def end(self, number):
        """Sends a signal that ends the worker, at once or soon."""
        if not self.is_alive():
            return
        self.done.add(number)
        self.past.note(number)
        if number in (signal.SIGTERM, signal.SIGINT):
            self.stops += 1
            self.told_at = self.told_at or time.monotonic()
        # The third signal ends the worker at once, and so does a signal after a long freeze.
        if number == signal.SIGKILL or self.stops >= 3 or (self.stops and self.frozen):
            self.past.note(chaos_judge.ABANDONED)
        self.worker.signal(number)

    def kill_slot(self, rng):
        """Kills a slot, which its parent starts again."""
        slots = list(slots_of(self.worker).values()) if self.is_alive() else []
        if slots:
            self.past.note(signal.SIGKILL)
            self.past.note(chaos_judge.ABANDONED)
            with contextlib.suppress(ProcessLookupError):
                os.kill(rng.choice(slots), signal.SIGKILL)

    def freeze(self, until):
        self.wakes_at = until
        self.frozen = True
        if self.told_at:
            self.past.note(chaos_judge.ABANDONED)
        self.stopped = [self.worker.pid, *slots_of(self.worker).values()]
        self.signal_stopped(signal.SIGSTOP)

    def wake(self):
        self.wakes_at = None
        self.signal_stopped(signal.SIGCONT)
        self.stopped = []

    def signal_stopped(self, number):
        for pid in self.stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def preempt(self):
        if self.is_alive():
            self.done.add(chaos_judge.PREEMPTED)
            self.past.note(chaos_judge.PREEMPTED)
            if not self.metadata.faults.rules():  # otherwise the worker gets the notice later
                self.told_at = self.told_at or time.monotonic()
            if self.frozen:
                self.past.note(chaos_judge.ABANDONED)
            self.metadata.metadata.set("instance/preempted", "TRUE")

    def fail_metadata(self, fault, count):
        if not self.stops:
            self.told_at = None  # the worker may miss a preemption notice
        self.metadata.faults.add(**fault, count=count)

    def quit(self, now, times):
        """Sends TERM, and again a moment later: the worker must then hurry, or ends at once."""
        self.end(signal.SIGTERM)
        self.quits_at = [now + QUIT_AGAIN * i for i in range(1, times)]

    def look(self, now, pause):
        """Wakes or restarts the worker when it is time. True if the worker was told to hurry."""
        if self.wakes_at is not None and now >= self.wakes_at:
            self.wake()
        if self.is_alive():
            hurries = bool(self.quits_at) and now >= self.quits_at[0]
            if hurries:
                self.quits_at.pop(0)
                self.end(signal.SIGTERM)
            return hurries
        if self.worker is not None:
            self.record_end()
            self.start_at = now + pause
        if now >= self.start_at:
            self.start()
        return False

    def record_end(self):
        if self.told_at and not self.frozen:
            self.stop_times.append(time.monotonic() - self.told_at)
        self.ended.append((self.worker, self.done))
        self.worker = None

    def end_disturbances(self):
        self.quits_at = []
        self.metadata.faults.clear()
        self.wake()

    def start_last(self):
        """Starts an undisturbed worker, which removes what a killed one has left."""
        if self.worker is not None and (self.done or not self.is_alive()):
            self.worker.wait(60)
            self.record_end()
        if self.worker is None:
            self.start()

    def directory(self):
        return os.path.realpath(self.top / "tasks")


class Chaos:
    def __init__(self, seed, machines=4, tasks=200, seconds=120.0):
        self.random = random.Random(seed)
        self.seed = seed
        self.seconds = seconds
        self.lab = cloud_lab.CloudLab()
        self.machines = [Machine(self.lab, number) for number in range(1, machines + 1)]
        self.names = [f"job-{number % 5}.{number}" for number in range(1, tasks + 1)]
        self.expected = {}
        self.failing = self.names[3::max(4, tasks // 2)]  # two tasks
        self.killed_jobs = {}  # job -> time of the kill in Unix seconds
        self.resets = collections.Counter()  # resets by this test, by task
        self.directories = {machine.owner: machine.directory() for machine in self.machines}
        self.witness = chaos_judge.Witness()
        self.rewritten = []  # problems found during the storm
        self.done = collections.Counter()  # number of disturbances by kind

    # --- the storm

    def submit(self, names):
        content = b"what all tasks read\n"
        url = self.lab.put(f"cas/{hashlib.sha256(content).hexdigest()}", content)
        for name in names:
            size, letter = self.random.choice((10, 5000, 300000)), self.random.choice("abc")
            command = COMMAND.format(pause=self.random.randrange(10), size=size, letter=letter,
                                     stubborn=self.random.choice(STUBBORN))
            mark = chaos_judge.MARK + b"\n"
            self.expected[name] = {
                "copy.txt": content + mark, chaos_judge.MARKED: mark,
                "big.bin": letter.encode() * size,
                "stdout.txt": b"sparkles: Downloading 1 files...\nsparkles: download complete.\n"
                              + mark + f"done {letter}\n".encode()}
            source = self.lab.url(MISSING) if name in self.failing else url
            self.lab.write_tasks([self.lab.task(name, command, downloads=[
                self.lab.download(source, "input.txt", is_cas_key=name not in self.failing,
                                  symlink_safe=self.random.random() < 0.5)])])

    def strike(self):
        action = self.random.choice(ACTIONS)
        machine = self.random.choice(self.machines)
        if action == "kill":
            machine.end(signal.SIGKILL)
        elif action == "term":
            machine.end(self.random.choice((signal.SIGTERM, signal.SIGINT)))
        elif action == "stop" and machine.is_alive() and machine.wakes_at is None:
            # Sometimes so long that another worker claims the task meanwhile.
            machine.freeze(time.monotonic() + self.random.choice((0.3, 2.0, 8.0)))
            if self.random.random() < 0.5:
                self.reset_tasks_of(machine)
        elif action == "fault":
            fault = self.random.choice(FAULTS)
            # A worker gives up after three consecutive corrupted transfers.
            most = 1 if fault["action"] == "corrupt" else 5
            self.lab.cloud.faults.add(**fault, count=self.random.randint(1, most))
            action = f"{fault['action']} {fault['kind']}"
        elif action == "down":
            self.lab.cloud.go_down(self.random.uniform(0.2, 2.0))
        elif action in ("quit", "insist"):
            machine.quit(time.monotonic(), 2 if action == "quit" else 3)
        elif action == "drain":
            machine.end(signal.SIGUSR1)
        elif action == "kill slot":
            machine.kill_slot(self.random)
        elif action == "preempt":
            machine.preempt()
        elif action == "metadata":
            machine.fail_metadata(self.random.choice(METADATA_FAULTS), self.random.randint(1, 3))
        elif action == "kill job":
            if self.killed_jobs or not self.expected:
                return
            job = self.random.choice(list(self.expected)).partition(".")[0]
            self.lab.kill_job(job)
            self.killed_jobs[job] = time.time()
        self.done[action] += 1

    def storm(self):
        start = now = time.monotonic()
        strike_at = 0.0
        while now < start + self.seconds:
            now = time.monotonic()
            # New tasks arrive during the whole storm.
            due = int(len(self.names) * min(1.0, (now - start) / self.seconds + 0.1))
            self.submit(self.names[len(self.expected):due])
            for machine in self.machines:
                self.done["hurry"] += machine.look(now, self.random.uniform(0.0, 1.0))
            if now >= strike_at:
                self.strike()
                strike_at = now + self.random.uniform(0.05, 0.5)
            time.sleep(0.02)
        self.submit(self.names[len(self.expected):])
        self.lab.cloud.faults.clear()
        self.lab.cloud.come_back()
        for machine in self.machines:
            machine.end_disturbances()

    def read_tasks(self):
        states = self.lab.states()
        for name, state in states.items():
            self.rewritten += [f"{name}: {problem}" for problem in self.witness.problems(
                name, state.lines, state.version, self.directories)]
        return states

    # --- the calm

    def reset_tasks_of(self, machine):
        """Resets the tasks of a machine, like a client that takes the machine for dead."""
        for name, state in self.read_tasks().items():
            if state.status == "claimed" and state.owner == machine.owner:
                self.resets[name] += 1
                self.lab.reset_task(name, of=machine.owner)

    def unfinished(self):
        return {name: state.status for name, state in self.read_tasks().items()
                if state.status not in chaos_judge.FINAL}

    def wait_for_end(self, seconds):
        """Waits until all tasks end. Each next worker hands back the claims of a killed one."""
        end = time.monotonic() + seconds * SLOWNESS
        while left := self.unfinished():
            now = time.monotonic()
            # Workers that ended badly may be the cause.
            assert now < end, "\n".join([
                f"seed {self.seed}: not ended after {seconds} s: {left}",
                *self.problems_of_exits()[:5]])
            for machine in self.machines:
                machine.look(now, 0.1)
            time.sleep(0.2)
        for machine in self.machines:
            machine.start_last()
        for machine in self.machines:
            machine.worker.wait(60)
            machine.record_end()

    # --- the judgement

    def problems(self):
        """One line for each broken promise."""
        states = self.read_tasks()
        found = self.rewritten
        if sorted(states) != sorted(self.names):
            found.append(f"there are {len(states)} tasks")
        for name, state in states.items():
            found += [f"{name}: {problem}" for problem in self.problems_of(name, state)]
        for machine in self.machines:
            found += chaos_judge.problems_of_disk(machine.top / "tasks", machine.top / "cache")
            found += [f"machine {machine.number}: {problem}" for seconds in machine.stop_times
                      for problem in chaos_judge.problems_of_stop(seconds)]
        places = tuple(f"{name}/" for name in (*self.names, "cas", "specs"))
        found += [f"{path}: no task owns it" for path in self.lab.storage.objects(cloud_lab.BUCKET)
                  if not path.startswith(places)]
        found += self.problems_of_exits()
        found += [f"process {pid} is left" for pid in processes_of(self.lab.directory)]
        return found

    def problems_of_exits(self):
        return [f"worker {worker.pid} of machine {machine.number}: {problem}"
                for machine in self.machines for worker, done in machine.ended
                for problem in chaos_judge.problems_of_exit(worker.exit_code, done, worker.stderr)]

    def problems_of(self, name, state):
        known = set(cloud_lab.properties_of(self.lab.entity(name, {}))) | {"task_id"}
        fails = name in self.failing
        yield from chaos_judge.problems_of_task(
            name, state.properties, known, self.directories, "failed" if fails else "complete",
            self.killed_jobs.get(name.partition(".")[0]))
        yield from chaos_judge.problems_of_resets(
            state.lines, {machine.owner: machine.past for machine in self.machines},
            self.resets[name])
        objects = {path.removeprefix(f"{name}/"): found for path, found in
                   self.lab.storage.objects(cloud_lab.BUCKET, f"{name}/").items()
                   if not path.startswith(f"{name}/sparkles-checkpoint/")}
        if state.status == "complete":
            yield from chaos_judge.problems_of_objects(name, state.lines, objects,
                                                       self.expected[name], self.directories)
        elif state.status == "failed":
            yield from chaos_judge.problems_of_failure(state.properties, objects, MISSING)

    def run(self, rest=90):
        try:
            self.storm()
            self.wait_for_end(rest)
            return self.problems()
        finally:
            for machine in self.machines:
                machine.metadata.close()
            self.lab.close()

    def summary(self):
        exits = collections.Counter(
            worker.exit_code for machine in self.machines for worker, _ in machine.ended)
        return (f"seed {self.seed}: {len(self.names)} tasks, {len(self.machines)} machines, "
                f"{self.seconds:g} s; disturbances: {dict(self.done)}; workers ended with "
                f"{dict(exits)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--machines", type=int, default=4)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as directory:
        tempfile.tempdir = directory
        chaos = Chaos(options.seed, options.machines, options.tasks, options.seconds)
        problems = chaos.run(rest=max(90.0, options.seconds))
        tempfile.tempdir = None
    print(chaos.summary())
    for problem in problems:
        print(f"  {problem}")
    print(f"chaos: {len(problems)} broken promises" if problems else "chaos: nothing broken")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
