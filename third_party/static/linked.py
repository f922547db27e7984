"""Finds the source packages in the static binary, from the linker's map and from our includes.

An archive or header directory that is not in the tables below is an error, because the SBOM would
lack it.
"""
import pathlib
import re
import sys

# From the start of an archive's name to its Debian source package. The first match counts.
ARCHIVES = (
    ("libsparkles.", None),  # our own code
    ("libabsl_", "abseil"),
    ("libaddress_sorting.", "grpc"),
    ("libc++", "llvm-toolchain-19"),
    ("libc.", "musl"),
    ("libcares.", "c-ares"),
    ("libclang_rt.", "llvm-toolchain-19"),
    ("libcrypto.", "openssl"),
    ("libcurl.", "curl"),
    ("libgpr.", "grpc"),
    ("libgrpc", "grpc"),
    ("libmimalloc.", "mimalloc"),
    ("libprotobuf", "protobuf"),
    ("libssl.", "openssl"),
    ("libunwind.", "llvm-toolchain-19"),
    ("libupb.", "grpc"),
    ("libz.", "zlib"),
)
OBJECTS = {"clang_rt.": "llvm-toolchain-19", "rcrt1.o": "musl", "crti.o": "musl", "crtn.o": "musl"}
HEADERS = {"nlohmann": "nlohmann-json3", "CLI": "cli11"}

# "  VMA  LMA  Size Align  FILE:(SECTION)", where FILE is an object or ARCHIVE(MEMBER).
MAP_LINE = re.compile(r" *[0-9a-f]+ +[0-9a-f]+ +([0-9a-f]+) +\d+ {9}(\S.*?):\((\S+)\)$")
NOT_LOADED = (".debug", ".comment", ".symtab", ".strtab", ".shstrtab")


def package_of(file):
    """The package of a file in the map; None for our own code and the linker's."""
    archive, has_member, _ = file.partition("(")
    name = pathlib.PurePath(archive).name
    if has_member:
        for start, package in ARCHIVES:
            if name.startswith(start):
                return package
        sys.exit(f"linked.py: {name} is of no known package; add it to the table")
    return next((package for start, package in OBJECTS.items() if name.startswith(start)), None)


def sizes(map_file):
    """{package, or None for our own code: bytes of the program in memory and file}."""
    found = {}
    with open(map_file, encoding="utf-8") as lines:
        for line in lines:
            match = MAP_LINE.match(line.rstrip("\n"))
            if match and not match[3].startswith(NOT_LOADED):
                package = package_of(match[2])
                found[package] = found.get(package, 0) + int(match[1], 16)
    if not found.get("musl"):
        sys.exit(f"linked.py: {map_file} is not a map that can be read")
    return found


def header_packages(source):
    """The packages of which only headers are used, from the includes of our files."""
    text = "".join(path.read_text(encoding="utf-8") for path in pathlib.Path(source).rglob("*.*"))
    return {package for directory, package in HEADERS.items()
            if re.search(rf'#include [<"]{directory}/', text)}


if __name__ == "__main__":
    for package, size in sorted(sizes(sys.argv[1]).items(), key=lambda item: -item[1]):
        print(f"{size:9d}  {package or 'sparklesworker'}")
