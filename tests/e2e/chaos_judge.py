"""Checks the state after chaos.py, with functions on plain data that yield problems.

A worker must end in one of the ways that its disturbances allow. A history must consist of allowed
steps. All results of a complete task must come from the attempt whose claim was completed.
"""
import json
import re
import signal
import time

from harness import SLOWNESS, crc32c

FINAL = ("complete", "failed", "killed")
# Seconds. A job may be killed between the lookup and the commit of a claim. The longest freeze of a
# worker is 8 s, and a lookup is used for 1 s.
LATE_CLAIM = 10
# Allowed next entries in a task's history, by its last entry.
FOLLOWS = {
    None: ("pending",),
    "pending": ("claimed", "killed"),
    "reset": ("claimed", "killed"),
    "claimed": ("reset", *FINAL),
}
# Stands in expected contents for the line in which a command names its attempt.
MARK = b"<mark>"
MARK_SHAPE = re.compile(r"(?P<task>\S+) attempt (?P<attempt>\d+) in (?P<folder>\S+)")
RESTORED = re.compile(rb"^sparkles: restored 1 file, .*\n", re.MULTILINE)
MARKED = "sub/mark.txt"  # has only the mark
PREEMPTED = "preempted"  # the cause of a worker's end that is not a signal
LAST_LINES = 15  # lines of a worker's stderr in a problem
# Seconds from the first request to stop to the end (docs/wire-entities.md), and one
# second to notice it.
STOP_LIMIT = 20 * SLOWNESS + 1
# Files that a worker leaves in the cache: inputs, their descriptions, and the lock of the cache.
IN_CACHE = re.compile(r"[0-9a-f]{64}(\.ok)?|uses\.lock")
# The cause behind each reason for a reset, by the start of the reason.
ABANDONED = "abandoned: "
CAUSES = {
    "the worker was stopped by SIGTERM": signal.SIGTERM,
    "the worker was stopped by SIGINT": signal.SIGINT,
    "the VM is being preempted": PREEMPTED,
    "the worker stops after this task": signal.SIGUSR1,
    ABANDONED: ABANDONED,
}
# A reset for a claim that was never made: it stops a delayed commit from making it later.
WITHDRAWN = "abandoned: a worker ended before its claim was made"
REACTION = 5.0  # seconds in which a disturbance takes effect on a busy machine


def explained(code, done, stderr):
    """True if a worker with the causes `done` (signals, PREEMPTED) may end with `code`.

    5 is never allowed: a storm breaks the network, which is not a fault of the machine. 6 is never
    allowed: no freeze lasts as long as the watchdog waits.
    """
    if code == 75:
        return PREEMPTED in done
    if code in (-signal.SIGTERM, -signal.SIGINT, -signal.SIGUSR1):
        return -code in done and not stderr  # the worker had not started its work yet
    if code in (128 + signal.SIGTERM, 128 + signal.SIGINT):
        return code - 128 in done
    return code == 0 or (code == -signal.SIGKILL and signal.SIGKILL in done)


def problems_of_exit(code, done, stderr):
    if not explained(code, done, stderr):
        said = "\n".join(stderr.splitlines()[-LAST_LINES:])
        why = ", ".join(sorted(map(str, done))) or "nothing"
        yield f"ended with {code} when {why} was done to it; it said last:\n{said}"


def problems_of_stop(seconds):
    """For a worker that was never frozen. `seconds`: from the request to stop to the end."""
    if seconds > STOP_LIMIT:
        yield f"ended {seconds:.1f} s after it was told to go"


def problems_of_disk(tasks_dir, cache_dir):
    """For a machine whose last worker had time to remove its files."""
    for path in tasks_dir.glob("*"):
        yield f"left behind: {path}"
    for path in cache_dir.glob("*"):
        # If a fetch was killed, the lock of that input stays until the next fetch of the input.
        fetching = path.suffix == ".lock" and not path.with_suffix("").exists()
        if not fetching and not IN_CACHE.fullmatch(path.name):
            yield f"left behind: {path}"


# --- histories


class Past:
    """The disturbances of a machine's workers, with times: possible reasons for lost claims."""

    def __init__(self):
        self.events = []  # (Unix seconds, disturbance)

    def note(self, what, now=None):
        self.events.append((time.time() if now is None else now, what))

    def has(self, what, begin, end):
        return any(begin <= when <= end for when, each in self.events if each == what)


def problems_of_resets(lines, pasts, resets):
    """Checks the reason of each reset. `pasts`: {owner: Past}; `resets`: resets by the test."""
    claim = {}
    for step, line in enumerate(lines, 1):
        if line["status"] == "claimed":
            claim = line
        if line["status"] != "reset" or line.get("failure_reason") == WITHDRAWN:
            continue
        reason = line.get("failure_reason")
        if not reason:
            resets -= 1
            continue
        cause = next((CAUSES[start] for start in CAUSES if reason.startswith(start)), None)
        past = pasts.get(claim.get("owner"), Past())
        begin, end = claim.get("timestamp", 0.0) - REACTION, line["timestamp"]
        if cause is None or not past.has(cause, begin, end):
            yield f"step {step} is a reset because of {reason!r}, which was not so"
    if resets < 0:
        yield f"{-resets} resets without a reason, which are not the test's: {lines}"


def problems_of_history(lines, version, owners):
    """For a task at any time. `owners`: the owners that may claim."""
    story = [line["status"] for line in lines]
    last = None
    for step, line in enumerate(lines, 1):
        status = line["status"]
        withdrawn = line.get("failure_reason") == WITHDRAWN and last in ("pending", "reset")
        if status not in FOLLOWS.get(last, ()) and not (status == "reset" and withdrawn):
            yield f"step {step} is {status} after {last}: {story}"
        if not set(line) <= {"timestamp", "status", "owner", "failure_reason"}:
            yield f"step {step} is {line}"
        if not isinstance(line.get("timestamp"), float):
            yield f"step {step} has no time: {line}"
        owner = line.get("owner")
        if owner is not None if status != "claimed" else owner not in owners:
            yield f"step {step} is {status} by {owner}"
        last = status
    if version != len(lines):
        yield f"version {version} after {story}"


class Witness:
    """Checks that histories only grow."""

    def __init__(self):
        self.seen = {}

    def problems(self, name, lines, version, owners):
        before = self.seen.get(name, [])
        self.seen[name] = lines
        if lines[:len(before)] != before:
            yield f"{before} became {lines}"
        elif lines != before:
            yield from problems_of_history(lines, version, owners)


def problems_of_task(name, task, known, directories, end="complete", killed_at=None):
    """For a task at its end. `task`: its properties, with the names `known`; `directories`: {owner:
    the tasks directory of its machine}; `end`: its status, unless its job was killed at `killed_at`
    (Unix seconds)."""
    lines = task["history"]
    yield from problems_of_history(lines, task["version"], directories)
    story = [line["status"] for line in lines]
    ends = (end,) if killed_at is None else (end, "killed")
    if task["status"] not in ends or story[-1] != task["status"] or sum(
            status in FINAL for status in story) != 1:
        yield f"{task['status']} ({task['failure_reason']}): {story}"
        return
    claim = last_claim(lines)
    if killed_at is not None and claim.get("timestamp", 0.0) > killed_at + LATE_CLAIM:
        yield f"claimed at {claim['timestamp']}, but its job was killed at {killed_at}"
    if set(task) - {"task_id"} != known - {"task_id"}:
        yield f"its properties are {sorted(task)}"
    reason = lines[-1].get("failure_reason")
    if task["status"] == "complete":
        true = task["exit_code"] == "0" and task["failure_reason"] is None and reason is None
    elif task["status"] == "killed":
        true = task["exit_code"] is None and task["failure_reason"] is None and bool(reason)
    else:
        true = task["exit_code"] is None and bool(reason) and task["failure_reason"] == reason
    if not true or task["task_id"] != name:
        yield f"{task['status']}, but {task}"
    if task["owner"] != claim.get("owner") and story[-2] == "claimed":
        yield f"its owner {task['owner']} did not end it"


def last_claim(lines):
    return next((line for line in reversed(lines) if line["status"] == "claimed"), {})


# --- objects


def problems_of_objects(name, lines, objects, expected, directories):
    """For a complete task. `objects`: {path: object with data and generation}, without `name`/;
    `expected`: {path: content with MARK in it}, including stdout.txt."""
    result = objects.get("result.json")
    if result is None:
        yield "no result.json"
        return
    told = json.loads(bytes(result.data))
    files = {file["src"]: file for file in told["files"]}
    if set(files) != set(expected):
        yield f"result.json lists {sorted(files)}"
    if set(objects) != {*files, "result.json"}:
        yield f"in the store are {sorted(objects)}"
    for path, file in files.items():
        stored = objects.get(path)
        if stored is None:
            yield f"{path} is not there"
        elif stored.generation != file["generation"]:
            yield f"{path} was replaced after result.json was written"
        elif (len(stored.data), crc32c(bytes(stored.data))) != (file["size"], file["crc32c"]):
            yield f"{path} is not what result.json says"
        elif stored.generation > result.generation:
            yield f"{path} is younger than result.json"
    yield from problems_of_run(told, lines)
    if MARKED in objects:
        mark = bytes(objects[MARKED].data).strip()
        yield from problems_of_mark(name, lines, mark.decode("utf-8", "replace"), directories)
        for path, content in expected.items():
            if path not in objects:
                continue
            # The log tells of a restored checkpoint. One that is ignored would be a problem.
            stored = RESTORED.sub(b"", bytes(objects[path].data))
            if stored != content.replace(MARK, mark):
                text = bytes(objects[path].data)[-300:]
                yield f"{path} has a wrong content, or one of another attempt than {mark}: {text}"


def problems_of_failure(task, objects, word):
    """For a task that had to fail. `word` must be in the messages for people."""
    result = objects.get("result.json")
    told = json.loads(bytes(result.data)) if result else {}
    if told.get("failure_reason") != task["failure_reason"]:
        yield f"result.json says {told}, and the task {task['failure_reason']}"
    log = bytes(objects["stdout.txt"].data).decode() if "stdout.txt" in objects else ""
    for text in (task["failure_reason"], log):
        if word not in text:
            yield f"it had to fail for {word}, and says {text!r}"


def problems_of_mark(name, lines, mark, directories):
    """The mark must belong to the claim that was completed, which is the last one."""
    found = MARK_SHAPE.fullmatch(mark)
    if found is None:
        yield f"{MARKED} has {mark!r}"
        return
    claims = sum(line["status"] == "claimed" for line in lines)
    if (found["task"], int(found["attempt"])) != (name, claims):
        yield f"complete in attempt {claims}, but its outputs are of {mark!r}"
    owner = last_claim(lines).get("owner")
    if not found["folder"].startswith(f"{directories.get(owner)}/"):
        yield f"completed by {owner}, but its outputs are of {mark!r}"


def problems_of_run(told, lines):
    """The command of result.json must have run between the last claim and the end."""
    if told["return_code"] != "0" or "failure_reason" in told:
        yield f"result.json tells of {told['return_code']}, {told.get('failure_reason')}"
    usage = told["resource_usage"]
    claimed, ended = last_claim(lines).get("timestamp", 0.0), lines[-1]["timestamp"]
    if not claimed <= usage["start_time"] <= usage["end_time"] <= ended:
        yield (f"result.json is of a command that ran from {usage['start_time']} to "
               f"{usage['end_time']}, but claim and end are of {claimed} and {ended}")
