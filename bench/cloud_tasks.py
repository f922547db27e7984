#!/usr/bin/env python3
"""Measures the cost of a task that does nothing: tasks per second, requests, and the worker's CPU.

Each task runs `true` and delivers a log and a result.json. Datastore is Google's emulator. Cloud
Storage is the test server, which also counts the requests. With several binaries, the script runs
them in turns to compare them.

Usage: bench/cloud_tasks.py [--tasks 200] [--rounds 3] BINARY...
"""
import argparse
import collections
import os
import pathlib
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "tests")]

from cloud_lab import CloudLab  # noqa: E402


def measure(binary, tasks):
    """(seconds, CPU seconds, requests by kind) of one worker that runs `tasks` tasks."""
    lab = CloudLab()
    try:
        lab.write_tasks([lab.task(f"job.{n}", "true") for n in range(1, tasks + 1)])
        worker = lab.start(*lab.consume_arguments("--localhost"), program=binary)
        started = time.monotonic()
        _, status, usage = os.wait4(worker.process.pid, 0)
        elapsed = time.monotonic() - started
        worker.process.returncode = os.waitstatus_to_exitcode(status)
        states = lab.states().values()
        if not all(state.status == "complete" for state in states):
            sys.exit(f"{binary}: not all tasks are complete")
        kinds = collections.Counter(request.kind for request in lab.cloud.requests())
        return elapsed, usage.ru_utime + usage.ru_stime, kinds
    finally:
        lab.close()


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tasks", type=int, default=200)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("binaries", nargs="+", metavar="BINARY")
    options = options.parse_args()
    figures = collections.defaultdict(list)
    for _ in range(options.rounds):
        for binary in options.binaries:
            figures[binary].append(measure(os.path.abspath(binary), options.tasks))
    print("| binary | tasks/s | Datastore requests/task | all requests/task | CPU ms/task |")
    print("|---|---|---|---|---|")
    for binary, runs in figures.items():
        elapsed = statistics.median(run[0] for run in runs)
        cpu = statistics.median(run[1] for run in runs)
        kinds = runs[0][2]
        datastore = sum(n for kind, n in kinds.items() if kind.startswith("datastore."))
        print(f"| {binary} | {options.tasks / elapsed:.1f} | {datastore / options.tasks:.2f} "
              f"| {kinds.total() / options.tasks:.2f} | {1000 * cpu / options.tasks:.2f} |")
        for kind, count in sorted(kinds.items()):
            print(f"|   {kind} | | {count / options.tasks:.2f} | | |")


if __name__ == "__main__":
    main()
