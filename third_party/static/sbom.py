#!/usr/bin/env python3
"""Writes the SBOM (SPDX 2.3, JSON) of a static binary, and the licences of its parts.

usage: sbom.py --binary FILE --map FILE --source DIRECTORY --resolved FILE --licences DIRECTORY
               --version VERSION --commit COMMIT --epoch SECONDS --out DIRECTORY
"""
import argparse
import datetime
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import urllib.parse

import linked

# SPDX's names of the licences of the used code. The licence texts are Debian's copyright files.
LICENCES = {
    "abseil": "Apache-2.0",
    "c-ares": "MIT AND ISC",
    "ca-certificates": "MPL-2.0",
    "cli11": "BSD-3-Clause",
    "curl": "curl",
    "grpc": "Apache-2.0",
    "llvm-toolchain-19": "Apache-2.0 WITH LLVM-exception",
    "mimalloc": "MIT",
    "musl": "MIT",
    "nlohmann-json3": "MIT",
    "openssl": "Apache-2.0",
    "protobuf": "BSD-3-Clause",
    "zlib": "Zlib",
}
COMMENTS = {
    "llvm-toolchain-19": "libc++, libc++abi, libunwind and compiler-rt's builtins",
    "ca-certificates": "the roots of trust, as data",
    "grpc": "with upb, address_sorting and xxHash, which its source package holds",
}


def spdx_id(name):
    return f"SPDXRef-{name}"


def purl(package, version):
    return (f"pkg:deb/debian/{package}@{urllib.parse.quote(version, safe='')}"
            "?arch=source&distro=bookworm")


def library(package, version, dsc_sum):
    entry = {
        "SPDXID": spdx_id(package),
        "name": package,
        "versionInfo": version,
        "supplier": "Organization: Debian",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": LICENCES[package],
        "copyrightText": "NOASSERTION",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                          "referenceLocator": purl(package, version)}],
    }
    if dsc_sum:
        entry["packageFileName"] = f"{package}_{version.rpartition(':')[2]}.dsc"
        entry["checksums"] = [{"algorithm": "SHA256", "checksumValue": dsc_sum}]
    if package in COMMENTS:
        entry["comment"] = COMMENTS[package]
    return entry


def document(options, libraries):
    digest = hashlib.sha256(pathlib.Path(options.binary).read_bytes()).hexdigest()
    created = datetime.datetime.fromtimestamp(options.epoch, datetime.timezone.utc)
    worker = {
        "SPDXID": spdx_id("sparklesworker"), "name": "sparklesworker",
        "versionInfo": options.version, "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False, "licenseConcluded": "BSD-3-Clause",
        "licenseDeclared": "BSD-3-Clause", "copyrightText": "NOASSERTION",
        "packageFileName": pathlib.Path(options.binary).name,
        "checksums": [{"algorithm": "SHA256", "checksumValue": digest}],
        "comment": f"commit {options.commit}", "primaryPackagePurpose": "APPLICATION",
    }
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"sparklesworker-{options.version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/sparklesworker-{digest}",
        "creationInfo": {"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
                         "creators": ["Tool: third_party/static/sbom.py"]},
        "packages": [worker, *libraries],
        "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
             "relatedSpdxElement": spdx_id("sparklesworker")},
            *({"spdxElementId": spdx_id("sparklesworker"), "relationshipType": "STATIC_LINK",
               "relatedSpdxElement": each["SPDXID"]} for each in libraries)],
    }


def ca_certificates():
    """The version of the installed package that contains the CA roots."""
    done = subprocess.run(["dpkg-query", "-W", "-f", "${source:Version}", "ca-certificates"],
                          check=True, capture_output=True, text=True)
    return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("binary", "map", "source", "resolved", "licences", "version", "commit", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--epoch", required=True, type=int)
    options = parser.parse_args()

    with open(options.resolved, encoding="ascii") as lines:
        resolved = {line.split()[0]: line.split()[1:] for line in lines}
    packages = {package for package in linked.sizes(options.map) if package}
    packages |= linked.header_packages(options.source)
    out = pathlib.Path(options.out)
    licences = out / "licences"
    shutil.rmtree(licences, ignore_errors=True)
    licences.mkdir()
    libraries = []
    for package in sorted(packages):
        if package not in resolved:
            sys.exit(f"sbom.py: {package} is linked, but sources.txt does not name it")
        libraries.append(library(package, *resolved[package]))
        shutil.copy(pathlib.Path(options.licences, package), licences / package)
    libraries.append(library("ca-certificates", ca_certificates(), None))
    shutil.copy("/usr/share/doc/ca-certificates/copyright", licences / "ca-certificates")
    shutil.copy("LICENSE", licences / "sparklesworker")
    for licence in licences.iterdir():
        licence.chmod(0o644)
    text = json.dumps(document(options, libraries), indent=1, ensure_ascii=False)
    (out / "sparklesworker.spdx.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
