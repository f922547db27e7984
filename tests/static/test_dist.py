"""Tests of the files that `make dist` puts beside the binary."""
import hashlib
import json
import pathlib
import re
import subprocess
import unittest

from harness import BINARY

DIST = pathlib.Path(BINARY).parent
SBOM = DIST / "sparklesworker.spdx.json"
SOURCES = pathlib.Path(__file__).parents[2] / "third_party/static/sources.txt"
# Packages that every build contains.
ALWAYS = {"abseil", "c-ares", "ca-certificates", "cli11", "curl", "llvm-toolchain-19", "mimalloc",
          "musl", "nlohmann-json3", "openssl", "zlib"}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@unittest.skipUnless(SBOM.exists(), "make dist has not run")
class Dist(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.document = json.loads(SBOM.read_text(encoding="utf-8"))
        cls.packages = {each["name"]: each for each in cls.document["packages"]}
        cls.libraries = {name: each for name, each in cls.packages.items()
                         if name != "sparklesworker"}

    def test_sbom_describes_this_binary(self):
        self.assertEqual(self.document["spdxVersion"], "SPDX-2.3")
        self.assertEqual(self.document["SPDXID"], "SPDXRef-DOCUMENT")
        self.assertEqual(self.document["dataLicense"], "CC0-1.0")
        self.assertRegex(self.document["creationInfo"]["created"],
                         r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        [checksum] = self.packages["sparklesworker"]["checksums"]
        self.assertEqual(checksum["checksumValue"], sha256(pathlib.Path(BINARY)))

    def test_each_library_has_its_pinned_source(self):
        self.assertEqual(len(self.packages), len(self.document["packages"]))
        self.assertLessEqual(ALWAYS, set(self.libraries))
        pins = {}
        for line in SOURCES.read_text(encoding="ascii").splitlines():
            if line and not line.startswith("#"):
                name, version, digest = line.split()
                pins[name] = (version, digest)
        for name, entry in self.libraries.items():
            if name != "ca-certificates":
                [checksum] = entry["checksums"]
                self.assertEqual((entry["versionInfo"], checksum["checksumValue"]), pins[name])
            [reference] = entry["externalRefs"]
            self.assertRegex(reference["referenceLocator"], rf"^pkg:deb/debian/{re.escape(name)}@")
            self.assertTrue(entry["licenseDeclared"])

    def test_sbom_links_each_library(self):
        links = {each["relatedSpdxElement"] for each in self.document["relationships"]
                 if each["relationshipType"] == "STATIC_LINK"}
        self.assertEqual(links, {each["SPDXID"] for each in self.libraries.values()})

    def test_binary_versions_match_sbom(self):
        said = subprocess.run([BINARY, "version", "--verbose"], capture_output=True, text=True,
                              check=True).stdout
        for name, mark in (("openssl", "OpenSSL/"), ("curl", "libcurl/"), ("zlib", "zlib/"),
                           ("c-ares", "c-ares/"),
                           ("ca-certificates", "ca-certificates ")):
            version = self.libraries[name]["versionInfo"].rpartition(":")[2]
            self.assertIn(mark + re.match(r"[\d.]*\d", version)[0], said)

    def test_each_package_has_licence(self):
        there = {path.name for path in (DIST / "licences").iterdir()}
        self.assertEqual(there, set(self.packages))
        for path in (DIST / "licences").iterdir():
            self.assertGreater(path.stat().st_size, 500, path.name)

    def test_manual_and_completion_are_current(self):
        for command, name in (("man", "sparklesworker.1"), ("completion", "sparklesworker.bash")):
            printed = subprocess.run([BINARY, command], capture_output=True, check=True).stdout
            self.assertEqual((DIST / name).read_bytes(), printed)

    def test_checksums_cover_all_files(self):
        listed = {}
        for line in (DIST / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
            digest, name = line.split("  ", 1)
            listed[name] = digest
        files = {str(path.relative_to(DIST)): path for path in DIST.rglob("*")
                 if path.is_file() and path.name != "SHA256SUMS"
                 and path.relative_to(DIST).parts[0] not in ("aarch64", "image.tar")}
        self.assertEqual(set(listed), set(files))
        for name, path in files.items():
            self.assertEqual(listed[name], sha256(path), name)


if __name__ == "__main__":
    unittest.main()
