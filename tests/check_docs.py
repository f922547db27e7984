#!/usr/bin/env python3
"""Checks that the tables of reliability.md, faults.md and known-defects.md in docs/ name tests.

Each row must name an existing test: `Suite.Test` of GoogleTest, or `test_module.Class.test_name` of
tests/e2e. A row after a blank line belongs to no table, and is an error.
"""
import argparse
import ast
import pathlib
import re
import sys
import tempfile

DOCUMENTS = ("docs/reliability.md", "docs/faults.md", "docs/known-defects.md")
GTEST = re.compile(r"^\s*(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)", re.MULTILINE)
TITLE = re.compile(r"\| (when|what is wrong|defect) \|")
NAMED = re.compile(r"`([A-Z]\w+\.[A-Z]\w+|test_\w+\.\w+\.test_\w+)`")


def known_tests(root):
    known = set()
    for path in (root / "tests").rglob("*.cc"):
        for suite, name in GTEST.findall(path.read_text(encoding="utf-8")):
            known.add(f"{suite}.{name}")
    for path in (root / "tests" / "e2e").glob("test_*.py"):
        for thing in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(thing, ast.ClassDef):
                known.update(f"{path.stem}.{thing.name}.{each.name}" for each in thing.body
                             if isinstance(each, ast.FunctionDef))
    return known


def problems(root, documents=DOCUMENTS):
    known = known_tests(root)
    for document in documents:
        yield from problems_of(root, document, known)


def problems_of(root, document, known):
    text = (root / document).read_text(encoding="utf-8")
    if not NAMED.search(text):
        yield f"{document}: names no test"
    before = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("| ") and not TITLE.match(line) and not before.startswith("|"):
            yield f"{document}:{number}: this row stands in no table"
        before = line
        if line.startswith("| ") and not TITLE.match(line) and not NAMED.search(line):
            yield f"{document}:{number}: this row names no test"
        for name in NAMED.findall(line):
            if name not in known:
                yield f"{document}:{number}: there is no test {name}"


def self_test():
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        (root / "tests/e2e").mkdir(parents=True)
        (root / "docs").mkdir()
        (root / "tests/a_test.cc").write_text("TEST_F(Aa, Bb) {}\n", encoding="utf-8")
        (root / "tests/e2e/test_a.py").write_text(
            "class C:\n    def test_d(self): pass\n", encoding="utf-8")
        for text, count in (("`Aa.Bb` and `test_a.C.test_d`", 0), ("`Aa.Cc`", 1), ("nothing", 1),
                            ("`Aa.Bb`\n| when | proof |\n| a | `Aa.Bb` |\n| b | c |", 1),
                            ("| when | proof |\n|---|---|\n\n| a | `Aa.Bb` |", 1),
                            ("`test_a.C.test_e` `test_b.C.test_d`", 2)):
            (root / "docs/reliability.md").write_text(text, encoding="utf-8")
            found = list(problems(root, DOCUMENTS[:1]))
            if len(found) != count:
                yield f"{text!r}: {found}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--self-test", action="store_true", help="prove that problems are found")
    options = parser.parse_args()
    root = pathlib.Path(__file__).resolve().parent.parent
    found = list(self_test() if options.self_test else problems(root))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
