#!/usr/bin/env python3
"""Checks the documents against the code: names, links, flags, codes, metrics, keys and variables.

The pages must explain all that users can see of the program, and must name only things that exist.
The checks read the sources and need no build. `--self-test` proves that each rule works.
"""
import argparse
import pathlib
import re
import sys
import tempfile

from check_docs import GTEST  # the pattern of GoogleTest names

MAX_PROSE = 100
MAX_EXEMPT = 180  # tables, links and code
MAX_README_LINES = 150
MAX_TEST_NAME = 45

EXIT_CODE_PAGE = "operations.md"
METRIC_PAGE = "operations.md"
RESULT_PAGE = "result-json.md"
VARIABLE_PAGES = ("cluster.md", "operations.md", "monitor.md", "development.md")

# Files that may name a page, besides the pages themselves.
TREES = ("src", "tests", "bench", "examples", "third_party", "proto", ".ci", ".github")
TEXT = (".cc", ".h", ".py", ".sh", ".md", ".mk", ".txt", ".proto", ".yml", ".supp", "")
CHECKERS = ("check_pages.py", "check_docs.py", "run_docs.py")  # their self-tests name other pages

# Flags of other programs in the documents.
FOREIGN_FLAGS = {
    "any": {"--name"},
    "docker": {"--init", "--rm", "--stop-timeout"},
    "gcloud": {"--member", "--metadata", "--metadata-from-file", "--role", "--scopes"},
    "GoogleTest": {"--gtest_filter"},
    "LLVM": {"--obj"},
    "Slurm": {"--signal"},
    "nvidia-smi": {"--format", "--loop", "--query-gpu"},
    "coreutils": {"--foreground", "--ignore-missing"},
}
# Pages that a workflow writes.
MADE_PAGES = {"notes.md"}
# Words of Google's protocols that look like variables.
NOT_VARIABLES = {"ACCESS_TOKEN_SCOPE_INSUFFICIENT", "BILLING_DISABLED", "GREATER_THAN",
                 "NOT_FINISHED", "SERVICE_DISABLED"}

PAGE_NAME = re.compile(r"(?<![\w/.:*-])((?:\.\./)*[\w.-]+(?:/[\w.-]+)*\.md)\b")
CODE_PATH = re.compile(r"`((?:\.?[a-z0-9_]+/)+[a-z0-9_.-]*)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
FLAG_LITERAL = re.compile(r'"(!?--[A-Za-z][\w-]*(?:,!?--[A-Za-z][\w-]*)*)"')
FLAG = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*")
ARGPARSE = re.compile(r'add_argument\(\s*"(--[\w-]+)"')
PYTHON_TEST = re.compile(r"^    def test_(\w+)\(", re.MULTILINE)
VARIABLE_LITERAL = re.compile(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|\w+_proxy)=?"')
VARIABLE_CALL = re.compile(r'(?:environment|is_missing|getenv|ProcessEnvironment)\("(\w+)"\)')


def read(path):
    return path.read_text(encoding="utf-8")


def pages(root):
    """README.md and the pages of docs/, with their paths."""
    return [path for path in [root / "README.md", *sorted((root / "docs").glob("*.md"))]
            if path.is_file()]


def sources(root, directory="src"):
    return [path for path in sorted((root / directory).rglob("*")) if path.suffix in (".cc", ".h")]


def code_of(root, directory="src"):
    return "\n".join(read(path) for path in sources(root, directory))


def has_word(text, word):
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None


def page_text(root, name):
    """"" if the page is missing; `link_problems` says so where something names it."""
    path = root / "docs" / name
    return read(path) if path.is_file() else ""


# (a) Names of pages, links, and names of source files.

def slug(heading):
    """The anchor that GitHub gives to a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def anchors(text):
    return {slug(line.lstrip("#")) for line in text.splitlines() if line.startswith("#")}


def link_problem(root, path, target):
    """The problem of a link's target in the page `path`, or None."""
    if "://" in target or target.startswith("mailto:"):
        return None
    name, _, anchor = target.partition("#")
    file = (path.parent / name) if name else path
    if not file.exists():  # page names have their own check
        return None if file.suffix == ".md" else f"the link {target} leads nowhere"
    if anchor and file.suffix == ".md" and anchor not in anchors(read(file)):
        return f"the link {target} leads to no heading"
    return None


def text_files(root):
    for path in sorted(root.iterdir()):
        if path.is_file() and (path.suffix in (".md", ".static") or path.name == "Makefile"):
            yield path
    for tree in ("docs", *TREES):
        for path in sorted((root / tree).rglob("*")):
            in_corpus = "corpus" in path.parts or "golden" in path.parts
            if path.is_file() and path.suffix in TEXT and not in_corpus:
                yield path


def link_problems(root):
    for path in text_files(root):
        if path.name in CHECKERS:
            continue
        for number, line in enumerate(read(path).splitlines(), 1):
            where = f"{path.relative_to(root)}:{number}"
            for name in sorted(set(PAGE_NAME.findall(line))):
                places = (root / name, path.parent / name)
                if name not in MADE_PAGES and not any(place.is_file() for place in places):
                    yield f"{where}: there is no page {name}"
            if path.suffix == ".md":
                for target in LINK.findall(line):
                    problem = link_problem(root, path, target)
                    if problem:
                        yield f"{where}: {problem}"


def guides(root):
    """The pages, and the documents of the root directory that describe the code."""
    others = [root / name for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")]
    return pages(root) + [path for path in others if path.is_file()]


def path_problems(root):
    """Checks names in backquotes: `src/base/file.h`, or `base/file` for header and source."""
    inside = {path.name for path in (root / "src").iterdir() if path.is_dir()}
    for page in guides(root):
        for number, line in enumerate(read(page).splitlines(), 1):
            for name in CODE_PATH.findall(line):
                top, _, rest = name.partition("/")
                if top in TREES:
                    base = root / name
                elif top in inside and rest:
                    base = root / "src" / name
                else:
                    continue
                if not any(pathlib.Path(f"{base}{end}").exists() for end in ("", ".h", ".cc")):
                    yield f"{page.relative_to(root)}:{number}: there is no file {name}"


# (b) Flags.

def worker_flags(root):
    flags = {"--help"}
    for literal in FLAG_LITERAL.findall(code_of(root, "src/cli")):
        flags.update(name.lstrip("!") for name in literal.split(","))
    return flags


def tool_flags(root):
    """Flags of this repository's own scripts."""
    flags = set()
    for directory in ("tests", "third_party"):
        for path in (root / directory).rglob("*.py"):
            flags.update(ARGPARSE.findall(read(path)))
        for path in (root / directory).rglob("*.sh"):
            flags.update(FLAG.findall(read(path)))
    return flags


def flag_problems(root):
    ours = worker_flags(root)
    known = ours | tool_flags(root) | set().union(*FOREIGN_FLAGS.values())
    seen = set()
    for path in pages(root):
        for number, line in enumerate(read(path).splitlines(), 1):
            for flag in sorted(set(FLAG.findall(line))):
                seen.add(flag)
                if flag not in known:
                    yield f"{path.relative_to(root)}:{number}: there is no flag {flag}"
    for flag in sorted(ours - seen):
        yield f"docs: no page explains the flag {flag}"


# (c) Exit codes, metrics, keys of result.json, variables.

def exit_codes(root):
    codes = set(re.findall(r"\bkExit\w+ = (\d+)", code_of(root)))
    for path in sources(root, "src/cli"):
        codes.update(re.findall(r'\{"(\d+)",\s*"', read(path)))
    return sorted(codes, key=int)


def exit_code_problems(root):
    rows = [line.split("|")[1] for line in page_text(root, EXIT_CODE_PAGE).splitlines()
            if line.startswith("|")]
    for code in exit_codes(root):
        if not any(has_word(cell, code) for cell in rows):
            yield f"docs/{EXIT_CODE_PAGE}: no row of a table explains exit code {code}"


def metric_problems(root):
    metrics = set(re.findall(r'"(sparkles_[a-z_]+)"', code_of(root)))
    page = page_text(root, METRIC_PAGE)
    for metric in sorted(metrics):
        if not has_word(page, metric):
            yield f"docs/{METRIC_PAGE}: does not explain the metric {metric}"
    known = metrics | {name + end for name in metrics for end in ("_bucket", "_sum", "_count")}
    for path in pages(root):
        for metric in sorted(set(re.findall(r"\bsparkles_[a-z_]+\b", read(path))) - known):
            if metric != "sparklesworker_image":
                yield f"{path.relative_to(root)}: there is no metric {metric}"


def result_keys(root):
    code = "\n".join(read(path) for path in sources(root, "src/task") if "result" in path.name)
    keys = set(re.findall(r'\{"(\w+)",', code)) | set(re.findall(r'\["(\w+)"\]', code))
    return keys | set(re.findall(r'\\"(\w+)\\"', code))


def result_key_problems(root):
    keys = result_keys(root)
    page = page_text(root, RESULT_PAGE)
    for key in sorted(keys):
        if not has_word(page, key):
            yield f"docs/{RESULT_PAGE}: does not explain the key {key}"
    in_table = False
    for number, line in enumerate(page.splitlines(), 1):
        cells = [cell.strip() for cell in line.split("|")]
        in_table = line.startswith("|") and (in_table or cells[1] == "key")
        for name in re.findall(r"`([^`]+)`", cells[1]) if in_table else []:
            for key in re.findall(r"\w+", name):
                if key not in keys:
                    yield f"docs/{RESULT_PAGE}:{number}: result.json has no key {key}"


def variable_problems(root):
    code = code_of(root)
    variables = set(VARIABLE_LITERAL.findall(code)) | set(VARIABLE_CALL.findall(code))
    text = "\n".join(page_text(root, name) for name in VARIABLE_PAGES)
    for name in sorted(variables - NOT_VARIABLES):
        # Names of proxy variables may be in lower case, too.
        if not has_word(text, name) and not has_word(text.lower(), name):
            yield f"docs: none of {', '.join(VARIABLE_PAGES)} explains the variable {name}"


# (d) Form of the pages.

def form_problems(root):
    for path in guides(root):
        lines = read(path).splitlines()
        where = path.relative_to(root)
        if path.name == "README.md" and len(lines) > MAX_README_LINES:
            yield f"{where}: has {len(lines)} lines; the limit is {MAX_README_LINES}"
        in_code = False
        for number, line in enumerate(lines, 1):
            fence = line.lstrip().startswith("```")
            in_code ^= fence
            exempt = in_code or fence or line.startswith("|") or "](" in line or "://" in line
            limit = MAX_EXEMPT if exempt else MAX_PROSE
            if len(line) > limit:
                yield f"{where}:{number}: is {len(line)} characters wide; the limit is {limit}"


# (e) Names of tests.

def test_names(root):
    """(file, name of a test in the file without `test_`) of each test."""
    for path in sorted((root / "tests").rglob("*")):
        if path.suffix == ".cc":
            yield from ((path, name) for _, name in GTEST.findall(read(path)))
        elif path.suffix == ".py" and path.name.startswith("test_"):
            yield from ((path, name) for name in PYTHON_TEST.findall(read(path)))


def test_name_problems(root):
    for path, name in test_names(root):
        if len(name) > MAX_TEST_NAME:
            yield (f"{path.relative_to(root)}: the test name {name} has {len(name)} characters; "
                   f"the limit is {MAX_TEST_NAME}")


RULES = (link_problems, path_problems, flag_problems, exit_code_problems, metric_problems,
         result_key_problems, variable_problems, form_problems,
         test_name_problems)


def problems(root):
    for rule in RULES:
        yield from rule(root)


# A tree without problems. Each self-test changes one file and expects one message.
GOOD = {
    "README.md": "See [operations](docs/operations.md#exit-codes).\n",
    "docs/operations.md": "# Exit codes\n\n| code | meaning |\n|---|---|\n| 0 | done |\n\n"
                          "`--dst`, `--help`, `SPARKLES_A`, `sparkles_b_total`\n",
    "docs/result-json.md": "| key | meaning |\n|---|---|\n| `files[].size` | bytes |\n",
    "src/cli/a.cc": '// See docs/operations.md.\nadd_option("--dst", x)\n',
    "src/worker/a.h": 'kExitDone = 0,\ngetenv("SPARKLES_A")\n',
    "src/monitor/a.cc": '"sparkles_b_total"\n',
    "src/task/result.cc": '{"size", 1}, ",\\"files\\":"\n',
    "tests/a_test.cc": "TEST(Aa, Bb) {}\n",
}
SELF_TESTS = [
    ("README.md", "", ""),
    ("README.md", "See docs/none.md", "no page docs/none.md"),
    ("README.md", "[a](docs/none.txt)", "leads nowhere"),
    ("README.md", "[a](docs/operations.md#none)", "leads to no heading"),
    ("README.md", "[a](https://example.com/none.md)", ""),
    ("README.md", "`src/cli/a.cc` `cli/a` `src/cli/` `a/b`", ""),
    ("README.md", "`src/cli/none.cc`", "no file src/cli/none.cc"),
    ("README.md", "`cli/none`", "no file cli/none"),
    ("README.md", "Use `--none`.", "no flag --none"),
    ("README.md", "docker run --rm", ""),
    ("README.md", "sparkles_none_total", "no metric sparkles_none_total"),
    ("README.md", "a" * 101, "101 characters"),
    ("README.md", "| " + "a" * 150, ""),
    ("README.md", "```sh\n" + "a" * 150 + "\n```", ""),
    ("README.md", "| " + "a" * 180, "182 characters"),
    ("README.md", "\n" * 151, "151 lines"),
    ("src/cli/a.cc", '// See none.md.\n"--dst"', "no page none.md"),
    ("src/cli/a.cc", '"--dst"\n"--other,!--no-other"', "--no-other"),
    ("src/worker/a.h", 'kExitDone = 0,\nkExitFailed = 1,\n', "exit code 1"),
    ("src/worker/a.h", '"SPARKLES_C="', "variable SPARKLES_C"),
    ("src/worker/a.h", 'environment("HOME")', "variable HOME"),
    ("src/worker/a.h", '"NOT_FINISHED"', ""),
    ("src/monitor/a.cc", '"sparkles_b_total" "sparkles_c"', "metric sparkles_c"),
    ("src/task/result.cc", '{"size", 1}, ",\\"files\\":", ["more"]', "key more"),
    ("src/task/result.cc", '{"size", 1}', "no key files"),
    ("src/cli/a.cc", 'Text("--dst") {"7", "stuck"}', "exit code 7"),
    ("tests/a_test.cc", f"TEST(Aa, {'B' * 45}) {{}}", ""),
    ("tests/a_test.cc", f"TEST_F(Aa, {'B' * 46}) {{}}", "46 characters"),
    ("tests/test_a.py", f"    def test_{'b' * 45}(self):", ""),
    ("tests/test_a.py", f"    def test_{'b' * 46}(self):", "46 characters"),
]


def self_test():
    for file, content, expected in SELF_TESTS:
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            for name, text in {**GOOD, file: content}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text, encoding="utf-8")
            found = list(problems(root))
        if not (any(expected in line for line in found) if expected else not found):
            yield f"{file} with {content[:60]!r}: expected {expected!r}, got {found}"


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
