"""Tests for a binary of any architecture; QEMU runs a binary of another architecture."""
import os
import pathlib
import platform
import unittest

import test_hardening
from elf_file import ElfFile
from harness import BINARY, LabTest

MACHINE = ElfFile(BINARY).machine


class CrossHardening(test_hardening.Hardening):
    """The tests of the ELF file that work for each architecture."""


class CrossRun(LabTest):
    def setUp(self):
        super().setUp()
        self.program = BINARY
        if MACHINE != platform.machine():
            self.program = self.lab.directory / "emulated"
            self.program.write_text(f'#!/bin/sh\nexec qemu-{MACHINE}-static {BINARY} "$@"\n',
                                    encoding="utf-8")
            self.program.chmod(0o755)

    def test_version_is_printed(self):
        worker = self.lab.run("version", "--verbose", program=self.program)
        self.assertEqual((worker.exit_code, worker.stderr), (0, ""))
        self.assertIn("static lane", worker.stdout)

    def test_copyexe_copies_binary_unchanged(self):
        copy = self.lab.directory / "a" / "copy"
        worker = self.lab.run("copyexe", "--dst", copy, program=self.program)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertEqual(copy.read_bytes(), pathlib.Path(BINARY).read_bytes())
        self.assertTrue(os.access(copy, os.X_OK))

    def test_task_with_inputs_and_outputs_runs(self):
        content = os.urandom(3 << 20)
        self.lab.write_tasks([self.lab.task("a", "cat plain cached > both", downloads=[
            self.lab.download(self.lab.put("plain", content), "plain"),
            self.lab.download(self.lab.put_cas(b"cached"), "cached", is_cas_key=True)])])
        worker = self.lab.consume(program=self.program)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_complete("a")
        self.assert_delivered("a")
        self.assertEqual(self.lab.stored("a")["both"], content + b"cached")


if __name__ == "__main__":
    unittest.main()
