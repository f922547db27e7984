#!/usr/bin/env python3
"""Runs the commands that README.md and the pages of docs/ show.

A fenced block that starts with ```sh run is runnable. All runnable blocks of a page are one shell
script (`sh -eu`). It runs in a copy of the source tree with this tree's `build/`, and with
`sparklesworker` on the PATH. A fresh directory replaces /tmp, so that no earlier run matters.
`--self-test` proves that a failing command is found.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS / "e2e"), str(TESTS)]
import harness  # noqa: E402  (needs the path above)
from gcloud import emulator  # noqa: E402

PAGE_SECONDS = 300
BLOCK = re.compile(r"^( *)```sh run *\n(.*?)^\1``` *$", re.MULTILINE | re.DOTALL)
TMP = re.compile(r"""(?<![\w.])/tmp(?=[/\s"']|$)""", re.MULTILINE)
MAX_OUTPUT = 8000  # characters of a failed page's output


def script_of(text):
    """The runnable blocks of a page as one script; "" if it has none."""
    return "\n".join(re.sub(rf"^{indent}", "", block, flags=re.MULTILINE)
                     for indent, block in BLOCK.findall(text))


def copy_tree(root, copy):
    """Copies the tracked and new files with their times, so that make has nothing to build."""
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                           cwd=root, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (root / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, copy / name)
    if (root / "build").is_dir():
        (copy / "build").symlink_to(root / "build")


def commit_of(root):
    """The commit as the Makefile names it, so that make builds nothing again."""
    done = subprocess.run(["git", "describe", "--always", "--exclude", "*", "--abbrev=12",
                           "--dirty"], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def run_page(root, script, build, seconds=PAGE_SECONDS):
    """Runs the script of one page; returns (exit code or None when out of time, output)."""
    directory = tempfile.mkdtemp(prefix="sparkles-docs-")
    try:
        copy = pathlib.Path(directory, "source")
        copy.mkdir()
        copy_tree(root, copy)
        for name in ("tmp", "home"):
            pathlib.Path(directory, name).mkdir()
        environment = {**os.environ, harness.MARK: directory, "TMPDIR": f"{directory}/tmp",
                       "HOME": f"{directory}/home", "PYTHONDONTWRITEBYTECODE": "1",
                       "PATH": f"{build}:{os.environ['PATH']}",
                       "MAKEFLAGS": f"COMMIT={commit_of(root)}"}
        environment.pop("MAKELEVEL", None)
        with open(f"{directory}/output.log", "w+b") as output:
            script = TMP.sub(f"{directory}/tmp", script)
            process = subprocess.Popen(["sh", "-euxc", script], cwd=copy, env=environment,
                                       stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=subprocess.STDOUT, start_new_session=True)
            try:
                code = process.wait(seconds)
            except subprocess.TimeoutExpired:
                code = None
            harness.kill_processes_of(directory)
            process.wait()
            output.seek(0)
            return code, output.read().decode("utf-8", "replace")
    finally:
        harness.kill_processes_of(directory)
        harness.remove_tree(directory)


def run_pages(root, build, only):
    """Runs all pages; returns how many failed."""
    failed = 0
    for page in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
        name = str(page.relative_to(root))
        script = script_of(page.read_text(encoding="utf-8"))
        if not script or only not in name:
            continue
        if "--emulator" in script and emulator.why_not():
            if os.environ.get("CI"):
                sys.exit(f"docs: {emulator.why_not()}, and CI must not skip {name}")
            print(f"  skip  {name}: {emulator.why_not()}")
            continue
        started = time.monotonic()
        code, output = run_page(root, script, build)
        ok = code == 0
        failed += not ok
        seconds = time.monotonic() - started
        print(f"  {'ok' if ok else 'FAIL':4}  {name}  {seconds:.1f} s", flush=True)
        if not ok:
            why = f"exit code {code}" if code is not None else f"out of time ({PAGE_SECONDS} s)"
            print(f"{output[-MAX_OUTPUT:]}\n{name}: {why}")
    return failed


def self_test():
    text = ("```sh run\na=1\nmkdir /tmp/new\n```\n```sh\nfalse\n```\n"
            "1. x\n\n   ```sh run\n   test $a = {}\n   ```\n")
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        subprocess.run(["git", "init", "-q", directory], check=True)
        for wanted, expected in (("1", 0), ("2", 1)):
            code, output = run_page(root, script_of(text.format(wanted)), root)
            if code != expected:
                yield f"test $a = {wanted}: exit code {code} instead of {expected}: {output}"
        code, _ = run_page(root, "sleep 60 & sleep 60", root, seconds=1)
        if code is not None:
            yield f"a page that hangs: exit code {code}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/native", help="directory of the binary")
    parser.add_argument("--only", default="", metavar="TEXT", help="only pages with it in the name")
    parser.add_argument("--self-test", action="store_true", help="prove that failures are found")
    options = parser.parse_args()
    if options.self_test:
        found = list(self_test())
        print("\n".join(found), end="\n" if found else "")
        return 1 if found else 0
    failed = run_pages(TESTS.parent, pathlib.Path(options.build).resolve(), options.only)
    print(f"docs: {failed} pages failed" if failed else "docs: the commands of all pages run")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
