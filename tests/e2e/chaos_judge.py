"""What chaos.py has to find after a storm, as functions on plain data that yield problems.

The one hard idea: the storm explains little. A worker ends as it was made to end, a history goes
step by step, and all that a complete task has left is of the one attempt whose claim was completed.
"""
import json
import re
import signal

from harness import crc32c

FINAL = ("complete", "failed", "killed")
# A task's next entry in its history, by its last one.
FOLLOWS = {
    None: ("pending",),
    "pending": ("claimed",),
    "reset": ("claimed",),
    "claimed": ("reset", *FINAL),
}
# Stands in expected contents for the line with which a command says who it is.
MARK = b"<mark>"
MARK_SHAPE = re.compile(r"(?P<task>\S+) attempt (?P<attempt>\d+) in (?P<folder>\S+)")
MARKED = "sub/who.txt"  # has the mark and nothing else
PREEMPTED = "preempted"  # what ends a worker besides signals
LAST_LINES = 15  # of a worker's stderr, in a problem


def explained(code, done, stderr):
    """Whether a worker to which `done` (signals, PREEMPTED) was done may end with `code`.

    Never with 5: a storm breaks the network, and a worker that takes this for an unfit machine is
    wrong. Nor with 6: nothing is frozen for as long as a watchdog waits.
    """
    if code == 75:
        return PREEMPTED in done
    if code in (-signal.SIGTERM, -signal.SIGINT):
        return -code in done and not stderr  # it had not begun yet
    if code in (128 + signal.SIGTERM, 128 + signal.SIGINT):
        return code - 128 in done
    return code == 0 or (code == -signal.SIGKILL and signal.SIGKILL in done)


def problems_of_exit(code, done, stderr):
    if not explained(code, done, stderr):
        said = "\n".join(stderr.splitlines()[-LAST_LINES:])
        why = ", ".join(sorted(map(str, done))) or "nothing"
        yield f"ended with {code} when {why} was done to it; it said last:\n{said}"


# --- histories


def problems_of_history(lines, version, owners):
    """Of a task at any time of its life. `owners` are those that may claim."""
    story = [line["status"] for line in lines]
    last = None
    for step, line in enumerate(lines, 1):
        status = line["status"]
        if status not in FOLLOWS.get(last, ()):
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
    """Looks at histories while they grow: what it has seen must stay."""

    def __init__(self):
        self.seen = {}

    def problems(self, name, lines, version, owners):
        before = self.seen.get(name, [])
        self.seen[name] = lines
        if lines[:len(before)] != before:
            yield f"{before} became {lines}"
        elif lines != before:
            yield from problems_of_history(lines, version, owners)


def problems_of_task(name, task, known, folders):
    """Of a task at its end. `task`: its properties, which are to be `known`; `folders`: {owner:
    the tasks folder of his machine}."""
    lines = task["history"]
    yield from problems_of_history(lines, task["version"], folders)
    story = [line["status"] for line in lines]
    if task["status"] != "complete" or story.count("complete") != 1 or story[-1] != "complete":
        yield f"{task['status']} ({task['failure_reason']}): {story}"
        return
    if set(task) != known:
        yield f"its properties are {sorted(task)}"
    if (task["exit_code"], task["failure_reason"], task["task_id"]) != ("0", None, name):
        yield f"complete, but {task}"
    if task["owner"] != last_claim(lines).get("owner"):
        yield f"its owner {task['owner']} is not who completed it"
    if lines[-1].get("failure_reason") is not None:
        yield f"complete with a reason: {lines[-1]}"


def last_claim(lines):
    return next((line for line in reversed(lines) if line["status"] == "claimed"), {})


# --- objects


def problems_of_objects(name, lines, objects, expected, folders):
    """Of what a complete task has left. `objects`: {path: thing with data and generation}, without
    `name`/; `expected`: {path: content with MARK in it}, stdout.txt too."""
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
        yield from problems_of_mark(name, lines, mark.decode("utf-8", "replace"), folders)
        for path, content in expected.items():
            if path in objects and bytes(objects[path].data) != content.replace(MARK, mark):
                text = bytes(objects[path].data)[-300:]
                yield f"{path} has a wrong content, or one of another attempt than {mark}: {text}"


def problems_of_mark(name, lines, mark, folders):
    """The mark must be of the claim that was completed, which is the last one."""
    found = MARK_SHAPE.fullmatch(mark)
    if found is None:
        yield f"{MARKED} has {mark!r}"
        return
    claims = sum(line["status"] == "claimed" for line in lines)
    if (found["task"], int(found["attempt"])) != (name, claims):
        yield f"complete in attempt {claims}, but its outputs are of {mark!r}"
    owner = last_claim(lines).get("owner")
    if not found["folder"].startswith(f"{folders.get(owner)}/"):
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
