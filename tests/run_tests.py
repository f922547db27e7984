#!/usr/bin/env python3
"""Runs all tests of a build directory, or the end-to-end and static tests of one binary.

A job is one process: a part of the tests of a GoogleTest binary, the replay of a fuzz corpus, or
one end-to-end test. Each job has a time limit and a temp directory of its own. At the end of a job,
the runner kills all its processes and removes the directory. The report lists the slowest tests and
counts the results.
"""
import argparse
import concurrent.futures
import contextlib
import fnmatch
import functools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from dataclasses import dataclass, field

TESTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS / "e2e"), str(TESTS / "static"), str(TESTS)]
import harness  # noqa: E402  (needs the path above)
from gcloud import emulator  # noqa: E402

PROGRAM_SECONDS = 600
E2E_SECONDS = 300
SANITIZER_SLOWNESS = 4
# Program -> number of jobs that share its tests.
GTEST_PROGRAMS = {"sim_tests": 2, "contract_tests": 3, "unit_tests": 3}
QUICK_PROGRAMS = ("contract_tests", "unit_tests")
# Tests mostly wait, so two processors are enough for six jobs.
AT_ONCE = max(6, 2 * (os.cpu_count() or 1))
SLOWEST = 10  # tests that the report lists
# Jobs that share one Datastore emulator: a test program and the modules of end-to-end tests.
CLOUD_JOBS = ("contract_tests", "test_cloud_", "test_doctor")


@dataclass
class Outcome:
    """The result of one job."""

    name: str
    passed: int = 0
    skipped: list = field(default_factory=list)  # names
    failures: list = field(default_factory=list)  # (name, text)
    seconds: float = 0.0
    times: list = field(default_factory=list)  # (seconds, name) of tests, if the job has several


def sanitizer_environment(lane):
    """Options that make a sanitizer's report end the program with an exit code of its own."""
    symbolizer = shutil.which("llvm-symbolizer-19")
    common = "halt_on_error=1:exitcode=99:print_stacktrace=1"
    if symbolizer:
        common += f":external_symbolizer_path={symbolizer}"
    if lane == "asan":
        suppressions = TESTS / "lsan.supp"
        return {"ASAN_OPTIONS": common + ":detect_leaks=1", "UBSAN_OPTIONS": common,
                "LSAN_OPTIONS": f"print_suppressions=0:suppressions={suppressions}"}
    if lane == "tsan":
        suppressions = TESTS / "tsan.supp"
        # A worker that must exit at once does not join its threads.
        return {"TSAN_OPTIONS": f"{common}:second_deadlock_stack=1:report_thread_leaks=0"
                                f":suppressions={suppressions}"}
    return {}


class Runner:
    def __init__(self, options):
        self.build = pathlib.Path(options.build).resolve() if options.build else None
        binary = self.build / "sparklesworker" if self.build else pathlib.Path(options.binary)
        self.lane = self.build.name if self.build else "static"
        pattern = options.only
        self.pattern = f"*{pattern}*" if pattern else "*"
        self.quick = options.quick
        self.slowness = SANITIZER_SLOWNESS if self.lane in ("asan", "tsan", "fuzz") else 1
        # Also for this process, because some tests read the binary when they are listed.
        os.environ["SPARKLES_BINARY"] = str(binary.resolve())
        self.environment = {
            **os.environ,
            **sanitizer_environment(self.lane),
            "SPARKLES_LANE": self.lane,
            "SPARKLES_BINARY": str(binary.resolve()),
            "PYTHONPATH": f"{TESTS / 'e2e'}:{TESTS / 'static'}:{TESTS}",
            # Keeps compiled modules out of the source directories.
            "PYTHONPYCACHEPREFIX": str(TESTS.parent / "build" / "pycache"),
        }
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def run(self, command, seconds, directory, **variables):
        """Returns (exit code or None when out of time, all output)."""
        environment = {**self.environment, "TMPDIR": directory, harness.MARK: directory,
                       **variables}
        # A file and not a pipe, because leftover processes would keep a pipe open.
        with open(os.path.join(directory, "output.log"), "w+b") as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=subprocess.STDOUT, cwd=TESTS.parent, env=environment,
                                       start_new_session=True)
            try:
                code = process.wait(seconds * self.slowness)
            except subprocess.TimeoutExpired:
                code = None
            harness.kill_processes_of(directory)
            process.wait()
            output.seek(0)
            return code, output.read().decode("utf-8", "replace")

    def job(self, name, body):
        """Runs `body(directory)` in a temp directory of its own."""
        started = time.monotonic()
        directory = tempfile.mkdtemp(prefix="sparkles-test-")
        os.chmod(directory, 0o755)  # some tests become another user
        try:
            outcome = body(directory)
        except Exception as error:  # a broken job must not hide the others
            outcome = Outcome(name, failures=[(name, f"could not be run: {error}")])
        finally:
            harness.kill_processes_of(directory)
            harness.remove_tree(directory)
        outcome.seconds = time.monotonic() - started
        return outcome

    def ending(self, code, seconds):
        if code is None:
            return f"out of time after {seconds * self.slowness} s"
        if code < 0:
            return f"ended by {signal.Signals(-code).name}"
        return f"exit code {code}"

    def run_gtest(self, program, part, name, directory):
        """Runs one of the parts of a program: GoogleTest calls a part a shard."""
        report = os.path.join(directory, "report.json")
        code, output = self.run(
            [self.build / program, f"--gtest_filter={self.pattern}", "--gtest_color=no",
             f"--gtest_output=json:{report}"], PROGRAM_SECONDS, directory,
            GTEST_TOTAL_SHARDS=str(GTEST_PROGRAMS[program]), GTEST_SHARD_INDEX=str(part))
        outcome = Outcome(name)
        if os.path.exists(report):
            with open(report, encoding="utf-8") as file:
                self.read_gtest_report(json.load(file), outcome)
        if code != 0 and not outcome.failures:  # it crashed or did not start
            ending = self.ending(code, PROGRAM_SECONDS)
            outcome.failures.append((name, f"{ending}\n{output[-8000:]}"))
        elif harness.sanitizer_report(output):
            outcome.failures.append((name, output[-8000:]))
        return outcome

    @staticmethod
    def read_gtest_report(report, outcome):
        for suite in report["testsuites"]:
            for test in suite["testsuite"]:
                name = f"{suite['name']}.{test['name']}"
                if "failures" in test:
                    text = "\n".join(failure["failure"] for failure in test["failures"])
                    outcome.failures.append((name, text))
                elif test["result"] == "SKIPPED":
                    outcome.skipped.append(name)
                elif test["status"] == "RUN":
                    outcome.passed += 1
                outcome.times.append((float(test["time"].removesuffix("s")), name))

    def run_replay(self, program, directory):
        corpus = TESTS / "fuzz" / "corpus" / program.removesuffix("_fuzz_replay")
        code, output = self.run([self.build / program, corpus], PROGRAM_SECONDS, directory)
        if code == 0 and not harness.sanitizer_report(output):
            return Outcome(program, passed=1)
        text = f"{self.ending(code, PROGRAM_SECONDS)}\n{output[-8000:]}"
        return Outcome(program, failures=[(program, text)])

    def run_e2e(self, test, directory):
        code, output = self.run([sys.executable, "-m", "unittest", test], E2E_SECONDS, directory)
        if code == 0 and "(skipped=" in output.rstrip().rpartition("\n")[2]:
            return Outcome(test, skipped=[test])
        if code == 0 and not harness.sanitizer_report(output):
            return Outcome(test, passed=1)
        text = f"{self.ending(code, E2E_SECONDS)}\n{output}"
        return Outcome(test, failures=[(test, text)])

    def matches(self, name):
        return fnmatch.fnmatchcase(name, self.pattern)

    def programs(self):
        for program, parts in GTEST_PROGRAMS.items():
            if self.quick and program not in QUICK_PROGRAMS:
                continue
            for part in range(parts):
                name = f"{program} {part + 1}/{parts}"
                yield name, functools.partial(self.run_gtest, program, part, name)
        if self.quick:
            return
        for program in sorted(path.name for path in self.build.glob("*_fuzz_replay")):
            if self.matches(program):
                yield program, lambda directory, p=program: self.run_replay(p, directory)

    def jobs(self):
        """(name, body) of all jobs, the long ones first."""
        if self.build:
            yield from self.programs()
        if self.quick:
            return
        for test in python_tests("e2e") + ([] if self.build else python_tests("static")):
            if self.matches(test):
                yield test, lambda directory, t=test: self.run_e2e(t, directory)


@contextlib.contextmanager
def datastore_for(runner):
    """One emulator for all tests of this run that need it. It starts while other tests run."""
    wanted = not runner.quick and any(name.startswith(CLOUD_JOBS) for name, _ in runner.jobs())
    if not wanted or emulator.why_not():
        if wanted and os.environ.get("CI"):
            sys.exit(f"tests: {emulator.why_not()}, and CI must not skip them")
        if wanted:
            print(f"  note  {emulator.why_not()}: tests that need it are skipped")
        yield
        return
    with tempfile.TemporaryDirectory(prefix="sparkles-emulator-") as directory:
        started = emulator.Emulator(directory, wait=False)
        runner.environment["SPARKLES_TEST_DATASTORE"] = started.address
        try:
            yield
        finally:
            started.stop()


def python_tests(directory):
    """The names "module.Class.test" of all tests in a directory of tests/."""

    def names(suite):
        for item in suite:
            if isinstance(item, unittest.TestSuite):
                yield from names(item)
            else:
                yield item.id()

    return sorted(names(unittest.TestLoader().discover(str(TESTS / directory), "test_*.py")))


def print_slowest(outcomes):
    times = sorted((time for outcome in outcomes
                    for time in outcome.times or [(outcome.seconds, outcome.name)]), reverse=True)
    print(f"\nthe {len(times[:SLOWEST])} slowest tests:")
    for seconds, name in times[:SLOWEST]:
        print(f"  {seconds:5.1f} s  {name}")


def report(outcomes, seconds):
    for outcome in outcomes:
        for name, text in outcome.failures:
            print(f"\n===== FAILED {name}\n{text.rstrip()}")
    skipped = [name for outcome in outcomes for name in outcome.skipped]
    if skipped:
        print(f"\nskipped: {', '.join(skipped)}")
    passed = sum(outcome.passed for outcome in outcomes)
    failed = sum(len(outcome.failures) for outcome in outcomes)
    if passed + failed + len(skipped) == 0:
        print("no test has such a name")
    else:
        print_slowest([outcome for outcome in outcomes
                       if outcome.passed or outcome.failures or outcome.skipped])
    print(f"tests: {passed} passed, {failed} failed, {len(skipped)} skipped in {seconds:.1f} s")
    return 0 if failed == 0 and passed > 0 else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--build", help="build directory, such as build/native")
    what.add_argument("--binary", help="a static binary")
    parser.add_argument("--quick", action="store_true",
                        help="only unit and contract tests, without the Datastore emulator")
    parser.add_argument("--only", default="", help="only tests whose name has this glob in it")
    options = parser.parse_args()
    started = time.monotonic()
    runner = Runner(options)
    outcomes = []
    with datastore_for(runner), concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(runner.job, name, body) for name, body in runner.jobs()]
        for future in concurrent.futures.as_completed(running):
            outcome = future.result()
            outcomes.append(outcome)
            if outcome.passed or outcome.skipped or outcome.failures:
                word = "FAIL" if outcome.failures else "ok" if outcome.passed else "skip"
                count = f" ({outcome.passed} tests)" if outcome.passed > 1 else ""
                print(f"  {word:4}  {outcome.name}{count}  {outcome.seconds:.1f} s", flush=True)
    return report(outcomes, time.monotonic() - started)


if __name__ == "__main__":
    sys.exit(main())
