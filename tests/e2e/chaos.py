#!/usr/bin/env python3
"""Chaos: workers on machines that are killed, frozen and told to go, over a network that breaks.

The one hard idea: nothing is asserted while it storms. Afterwards everything has to come to rest,
and then the entities and the objects alone must tell a true story, whatever happened.
"""
import argparse
import collections
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
from gcloud.server import Server  # noqa: E402
from harness import SLOWNESS, crc32c, processes_of  # noqa: E402
import cloud_lab  # noqa: E402

FINAL = ("complete", "failed", "killed")
COMMAND = """sleep 0.0{pause}; cat input.txt > copy.txt; mkdir -p sub
echo "$SPARKLES_TASK_ID attempt $SPARKLES_ATTEMPT" > sub/who.txt
head -c {size} /dev/zero | tr '\\0' '{letter}' > big.bin; echo done {letter}; sleep 0.{pause}"""
# What a network may do; `count` is added.
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
ACTIONS = ("kill", "kill", "stop", "term", "fault", "fault", "fault", "fault", "down", "quit")


class Machine:
    """A machine with one worker at a time. Its metadata server is its own."""

    def __init__(self, lab, number):
        self.lab = lab
        self.number = number
        self.top = lab.folder / f"machine-{number}"
        self.metadata = Server()
        self.metadata.metadata.set("instance/name", f"vm-{number}")
        self.metadata.metadata.set("project/project-id", lab.datastore.project)
        self.owner = f"projects/123456/zones/us-east1-b/vm-{number}"
        self.worker = None
        self.started = 0.0
        self.start_at = 0.0
        self.wakes_at = None  # when it is frozen
        self.exits = []

    def start(self):
        self.lab.tasks_dir, self.lab.cache_dir = self.top / "tasks", self.top / "cache"
        self.started = time.time()
        self.wakes_at = None
        # A short grace and a short patience with an empty queue: all is faster than life here.
        self.worker = self.lab.start_consume(
            "--shutdownAfter", "1", "--grace", "1",
            environment={"GCE_METADATA_HOST": self.metadata.address})

    def lives(self):
        return self.worker is not None and self.worker.exit_code is None

    def signal(self, number):
        if self.lives():
            self.worker.signal(number)

    def look(self, now, pause):
        """Wakes it, or starts it again, when it is time for that."""
        if self.wakes_at is not None and now >= self.wakes_at:
            self.wakes_at = None
            self.signal(signal.SIGCONT)
        if self.lives():
            return
        if self.worker is not None:
            self.exits.append(self.worker.exit_code)
            self.worker = None
            self.start_at = now + pause
        if now >= self.start_at:
            self.start()


class Chaos:
    def __init__(self, seed, machines=4, tasks=200, seconds=120.0):
        self.random = random.Random(seed)
        self.seed = seed
        self.seconds = seconds
        self.lab = cloud_lab.CloudLab()
        self.machines = [Machine(self.lab, number) for number in range(1, machines + 1)]
        self.names = [f"job-{number % 5}.{number}" for number in range(1, tasks + 1)]
        self.expected = {}
        self.done = collections.Counter()  # what was done to them

    # --- the storm

    def submit(self, names):
        content = b"what all tasks read\n"
        url = self.lab.put(f"cas/{hashlib.sha256(content).hexdigest()}", content)
        for name in names:
            size, letter = self.random.choice((10, 5000, 300000)), self.random.choice("abc")
            command = COMMAND.format(pause=self.random.randrange(10), size=size, letter=letter)
            self.expected[name] = {"copy.txt": content, "big.bin": letter.encode() * size}
            self.lab.write_tasks([self.lab.task(name, command, downloads=[
                self.lab.download(url, "input.txt", is_cas_key=True,
                                  symlink_safe=self.random.random() < 0.5)])])

    def strike(self):
        action = self.random.choice(ACTIONS)
        machine = self.random.choice(self.machines)
        if action == "kill":
            machine.signal(signal.SIGKILL)
        elif action == "term":
            machine.signal(self.random.choice((signal.SIGTERM, signal.SIGINT)))
        elif action == "stop" and machine.lives() and machine.wakes_at is None:
            # Now and then so long that another one has the task meanwhile.
            machine.signal(signal.SIGSTOP)
            machine.wakes_at = time.monotonic() + self.random.choice((0.3, 2.0, 8.0))
            if self.random.random() < 0.5:
                self.reset_tasks_of(machine)
        elif action == "fault":
            fault = self.random.choice(FAULTS)
            # What is wrong three times in a row is given up.
            most = 1 if fault["action"] == "corrupt" else 5
            self.lab.cloud.faults.add(**fault, count=self.random.randint(1, most))
            action = f"{fault['action']} {fault['kind']}"
        elif action == "down":
            self.lab.cloud.go_down(self.random.uniform(0.2, 2.0))
        elif action == "quit":
            machine.signal(signal.SIGTERM)
            machine.signal(signal.SIGTERM)
        self.done[action] += 1

    def storm(self):
        start = now = time.monotonic()
        strike_at = 0.0
        while now < start + self.seconds:
            now = time.monotonic()
            # There is work for as long as it storms.
            due = int(len(self.names) * min(1.0, (now - start) / self.seconds + 0.1))
            self.submit(self.names[len(self.expected):due])
            for machine in self.machines:
                machine.look(now, self.random.uniform(0.0, 1.0))
            if now >= strike_at:
                self.strike()
                strike_at = now + self.random.uniform(0.05, 0.5)
            time.sleep(0.02)
        self.submit(self.names[len(self.expected):])
        self.lab.cloud.faults.clear()
        self.lab.cloud.come_back()
        for machine in self.machines:
            machine.wakes_at = None
            machine.signal(signal.SIGCONT)

    # --- the calm

    def reset_tasks_of(self, machine):
        """What a client does who takes the machine for dead."""
        for name, state in self.lab.states().items():
            if state.status == "claimed" and state.owner == machine.owner:
                self.lab.reset_task(name)

    def unfinished(self):
        return {name: state.status for name, state in self.lab.states().items()
                if state.status not in FINAL}

    def come_to_rest(self, seconds):
        """Nobody resets anything now: what the killed held, the next on their machine give back."""
        end = time.monotonic() + seconds * SLOWNESS
        while left := self.unfinished():
            now = time.monotonic()
            assert now < end, f"seed {self.seed}: not at its end after {seconds} s: {left}"
            for machine in self.machines:
                machine.look(now, 0.1)
            time.sleep(0.2)
        for machine in self.machines:
            if not machine.lives():
                machine.start()  # it clears what a killed one has left in its folders
        for machine in self.machines:
            machine.worker.wait(60)

    # --- the judgement

    def problems(self):
        """Everything that is not as it was promised, as a list of lines."""
        found = []
        states = self.lab.states()
        if sorted(states) != sorted(self.names):
            found.append(f"there are {len(states)} tasks")
        for name, state in states.items():
            found += [f"{name}: {problem}" for problem in self.problems_of(name, state)]
        for machine in self.machines:
            folder = machine.top / "tasks"
            found += [f"left behind: {path}" for path in folder.glob("task-*")]
            if machine.worker.exit_code != 0:
                found.append(f"the last worker ended with {machine.worker.exit_code}:\n"
                             + machine.worker.stderr[-2000:])
        found += [f"process {pid} is left" for pid in processes_of(self.lab.folder)]
        return found

    def problems_of(self, name, state):
        story = [line["status"] for line in state.lines]
        if state.status != "complete":
            yield f"{state.status} ({state.failure_reason}): {story}"
            return
        if story[0] != "pending" or story[-1] != "complete" or story.count("complete") != 1:
            yield f"its history is {story}"
        if state.version != len(story):
            yield f"version {state.version} after {story}"
        known = set(cloud_lab.properties_of(self.lab.entity(name, {}))) | {"task_id"}
        if set(state.properties) != known:
            yield f"its properties are {sorted(state.properties)}"
        if state.exit_code != "0":
            yield f"exit code {state.exit_code}"
        for line in state.lines:
            if not set(line) <= {"timestamp", "status", "owner", "failure_reason"}:
                yield f"history entry {line}"
        yield from self.problems_of_objects(name)

    def problems_of_objects(self, name):
        objects = self.lab.storage.objects(cloud_lab.BUCKET, f"{name}/")
        by_path = {path.removeprefix(f"{name}/"): found for path, found in objects.items()}
        result = by_path.get("result.json")
        if result is None:
            yield "no result.json"
            return
        files = {file["src"]: file for file in json.loads(bytes(result.data))["files"]}
        if set(files) != {*self.expected[name], "sub/who.txt", "stdout.txt"}:
            yield f"result.json lists {sorted(files)}"
        if set(by_path) != {*files, "result.json"}:
            yield f"in the store are {sorted(by_path)}"
        for path, file in files.items():
            stored = by_path.get(path)
            if stored is None:
                yield f"{path} is not there"
            elif stored.generation != file["generation"]:
                yield f"{path} was replaced after result.json was written"
            elif (len(stored.data), crc32c(bytes(stored.data))) != (file["size"], file["crc32c"]):
                yield f"{path} is not what result.json says"
            elif stored.generation > result.generation:
                yield f"{path} is younger than result.json"
        for path, content in self.expected[name].items():
            if path in by_path and bytes(by_path[path].data) != content:
                yield f"{path} has a wrong content"

    def run(self, rest=90):
        try:
            self.storm()
            self.come_to_rest(rest)
            return self.problems()
        finally:
            for machine in self.machines:
                machine.metadata.close()
            self.lab.close()

    def summary(self):
        exits = collections.Counter(code for machine in self.machines for code in machine.exits)
        return (f"seed {self.seed}: {len(self.names)} tasks, {len(self.machines)} machines, "
                f"{self.seconds:g} s; done to them: {dict(self.done)}; workers ended with "
                f"{dict(exits)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--machines", type=int, default=4)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        tempfile.tempdir = folder
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
