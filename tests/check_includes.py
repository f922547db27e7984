#!/usr/bin/env python3
"""Checks the directions of includes, and the sizes of files and lines.

The tables below are the rule and its documentation. An unused permission is an error.
`--self-test` proves that each rule works.
"""
import argparse
import pathlib
import re
import sys
import tempfile

# Directory below src/ -> the directories whose headers it may include, besides its own. There are
# no cycles. executor and worker include neither gcp nor http, so that they run without a cloud.
MAY_INCLUDE = {
    "base": [],
    "http": ["base"],
    "process": ["base"],
    "task": ["base"],
    "gcp": ["base", "http"],
    "storage": ["base", "gcp"],
    "checkpoint": ["base", "task", "storage"],
    "queue": ["base", "task", "gcp"],
    "executor": ["base", "process", "task", "storage", "checkpoint"],
    "monitor": ["base", "process"],
    "view": ["base"],
    "worker": ["base", "process", "task", "queue"],
    "slots": ["base", "process", "monitor", "worker"],
    "doctor": ["base", "http", "process", "task", "gcp", "storage", "queue", "executor",
               "monitor"],
    "summary": ["base", "http", "task", "gcp", "storage", "queue"],
    "cli": ["base", "http", "process", "gcp", "storage", "queue", "executor", "monitor",
            "view", "worker", "slots", "doctor", "summary"],
    "main.cc": ["process", "cli"],
}

# Start of a third-party library's header names -> its doors: the only files or directories below
# src/ that may include it. All files may include Abseil.
DOORS = {
    "absl/": ["*"],
    "ares.h": ["http/host_lookup.cc"],
    "CLI/": ["cli/"],
    "curl/": ["http/"],
    "google/protobuf/": ["monitor/"],
    "grpc/": ["monitor/"],
    "grpcpp/": ["monitor/"],
    "monitor.": ["monitor/"],  # generated from proto/
    "reflection.": ["monitor/"],
    "nlohmann/": ["base/json.h"],
    "openssl/": ["base/hash.cc", "gcp/", "http/ca_roots.h", "http/ca_roots.cc",
                 "http/curl_exchange.h", "http/curl_exchange.cc", "monitor/key_pair.cc"],
}

# Directories of the headers of Linux and libc.
SYSTEM_DIRECTORIES = ("sys/", "linux/", "netinet/", "arpa/")

MAX_LINE = 100
# A longer file gets a warning, because it may have two jobs.
LONG = {".cc": 400, ".h": 150, ".py": 400, ".sh": 400}
MAX_LINES = {".cc": 600, ".h": 300, ".py": 600, ".sh": 600}
TREES = ("src", "tests", "bench", "examples")

INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def is_third_party(name):
    return any(name.startswith(library) for library in DOORS)


def door_problem(file, name):
    """`file` (path below src/) includes the third-party header `name`."""
    for library, doors in DOORS.items():
        if name.startswith(library) and "*" not in doors:
            if not any(file == door or (door.endswith("/") and file.startswith(door))
                       for door in doors):
                return f"includes <{name}>, which belongs behind {' or '.join(doors)}"
    return None


def our_include_problem(root, file, name):
    """`file` (path below src/) includes "name", which is ours."""
    if name.startswith("tests/") or name.startswith("bench/"):
        return f'includes "{name}": src knows nothing of tests and benches'
    if not (root / "src" / name).is_file():
        return f'includes "{name}", which is not the full path of a file below src/'
    own, other = file.split("/")[0], name.split("/")[0]
    if own not in MAY_INCLUDE:
        return f"lies in the directory {own}/, which the table does not know"
    if own != other and other not in MAY_INCLUDE[own]:
        return f'includes "{name}", but {own} may only include {MAY_INCLUDE[own] or "itself"}'
    return None


def include_problem(root, path, quote, name):
    parts = path.relative_to(root).parts
    if parts[0] != "src":  # tests and benches may include all headers, by full path
        places = (root / name, root / "src" / name)
        found = is_third_party(name) or any(place.is_file() for place in places)
        return None if quote == "<" or found else f'includes "{name}", which is not a full path'
    file = "/".join(parts[1:])
    if is_third_party(name):
        return door_problem(file, name)
    if quote == '"':
        return our_include_problem(root, file, name)
    if "/" in name and not name.startswith(SYSTEM_DIRECTORIES):
        return f"includes <{name}>, a library that has no door yet"
    return None


def text_problems(path, lines):
    limit = MAX_LINES[path.suffix]
    if len(lines) > limit:
        yield len(lines), f"has {len(lines)} lines; the limit of {path.suffix} files is {limit}"
    if path.suffix == ".h" and "#pragma once" not in lines:
        yield 1, "lacks #pragma once"
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            yield number, f"is {len(line)} characters wide; lines end at {MAX_LINE}"


def problems(root):
    """All problems below the checkout `root`, as "file:line: text"."""
    for tree in TREES:
        for path in sorted((root / tree).rglob("*")):
            if path.suffix not in MAX_LINES or not path.is_file():
                continue
            lines = path.read_text(encoding="utf-8").splitlines()
            found = list(text_problems(path, lines))
            if path.suffix in (".cc", ".h"):
                for number, line in enumerate(lines, 1):
                    match = INCLUDE.match(line)
                    problem = match and include_problem(root, path, *match.groups())
                    if problem:
                        found.append((number, problem))
            for number, text in sorted(found):
                yield f"{path.relative_to(root)}:{number}: {text}"


def unused_permissions(root):
    """One line for each permission of MAY_INCLUDE that no file uses."""
    used = set()
    for path in (root / "src").rglob("*"):
        if path.suffix in (".cc", ".h"):
            own = path.relative_to(root / "src").parts[0]
            for line in path.read_text(encoding="utf-8").splitlines():
                match = INCLUDE.match(line)
                used.add((own, match and match.group(2).split("/")[0]))
    for own, others in MAY_INCLUDE.items():
        for other in others:
            if (own, other) not in used:
                yield f"tests/check_includes.py: {own} includes nothing of {other}"


def warnings(root):
    """One line for each file that may have two jobs."""
    for tree in TREES:
        for path in sorted((root / tree).rglob("*")):
            if path.suffix in LONG and path.is_file():
                lines = len(path.read_text(encoding="utf-8").splitlines())
                if LONG[path.suffix] < lines <= MAX_LINES[path.suffix]:
                    yield (f"{path.relative_to(root)}: warning: {lines} lines; "
                           f"over {LONG[path.suffix]} a file often has two jobs")


# (file, content that breaks a rule, part of the message; "" if no message is expected).
SELF_TESTS = [
    ("src/executor/x.cc", '#include "gcp/a.h"', "executor may only include"),
    ("src/executor/x.cc", '#include "http/a.h"', "executor may only include"),
    ("src/worker/x.cc", '#include "gcp/a.h"', "worker may only include"),
    ("src/base/x.cc", '#include "task/a.h"', "base may only include"),
    ("src/task/x.cc", '#include "process/a.h"', "task may only include"),
    ("src/storage/x.cc", '#include "executor/a.h"', "storage may only include"),
    ("src/cli/x.cc", '#include "gcp/a.h"', ""),
    ("src/queue/x.cc", '#include "task/a.h"', ""),
    ("src/task/x.cc", '#include "a.h"', "not the full path"),
    ("src/task/x.cc", '#include "tests/support/a.h"', "nothing of tests"),
    ("src/odd/x.cc", '#include "base/a.h"', "does not know"),
    ("src/task/x.cc", "#include <nlohmann/json.hpp>", "belongs behind base/json.h"),
    ("src/base/json.h", "#pragma once\n#include <nlohmann/json.hpp>", ""),
    ("src/task/x.cc", "#include <openssl/evp.h>", "belongs behind base/hash.cc"),
    ("src/gcp/x.cc", "#include <openssl/evp.h>", ""),
    ("src/worker/x.cc", "#  include <CLI/CLI.hpp>", "belongs behind cli/"),
    ("src/gcp/x.cc", "#include <curl/curl.h>", "belongs behind http/"),
    ("src/worker/x.cc", "#include <grpcpp/server.h>", "belongs behind monitor/"),
    ("src/base/x.cc", "#include <boost/any.hpp>", "no door"),
    ("src/base/x.cc", '#include <sys/stat.h>\n#include "absl/time/time.h"', ""),
    ("src/base/x.h", "int a;", "#pragma once"),
    ("src/base/x.cc", "//" + "x" * 98, ""),
    ("src/base/x.cc", "//" + "x" * 99, "101 characters"),
    ("src/base/x.cc", "\n" * 601, "601 lines"),
    ("src/base/x.h", "#pragma once" + "\n" * 301, "301 lines"),
    ("tests/unit/x.cc", '#include "gcp/a.h"\n#include "tests/support/a.h"', ""),
    ("tests/unit/x.cc", '#include "support/a.h"', "not a full path"),
]


def self_test():
    broken = []
    for file, content, expected in SELF_TESTS:
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            headers = [f"src/{name}/a.h" for name in MAY_INCLUDE if "." not in name]
            for header in headers + ["tests/support/a.h"]:
                (root / header).parent.mkdir(parents=True, exist_ok=True)
                (root / header).write_text("#pragma once\n", encoding="utf-8")
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text(content, encoding="utf-8")
            found = list(problems(root))
        as_expected = len(found) == 1 and expected in found[0] if expected else not found
        if not as_expected:
            broken.append(f"{file} with {content[:60]!r}: expected {expected!r}, got {found}")
    return broken + unused_self_test()


def unused_self_test():
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        (root / "src/http").mkdir(parents=True)
        (root / "src/http/x.cc").write_text('#include "base/a.h"\n', encoding="utf-8")
        found = "\n".join(unused_permissions(root))
    as_expected = "gcp includes nothing of http" in found and "http includes" not in found
    return [] if as_expected else [f"unused permissions: got {found}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--self-test", action="store_true", help="prove that problems are found")
    options = parser.parse_args()
    root = pathlib.Path(__file__).resolve().parent.parent
    if options.self_test:
        found = self_test()
    else:
        found = list(problems(root)) + list(unused_permissions(root))
    for line in found + ([] if options.self_test else list(warnings(root))):
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
