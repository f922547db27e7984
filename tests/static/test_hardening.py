"""Tests of the binary's ELF file: it is self-contained and hardened."""
import bisect
import os
import pathlib
import re
import unittest

import elf_file
from elf_file import ElfFile

BINARY = pathlib.Path(os.environ["SPARKLES_BINARY"])
DEBUG = BINARY.with_name(BINARY.name + ".debug")
LARGEST_BYTES = 9_000_000
# Patterns for the names of our functions and of each larger library's.
PROTECTED = [r"_ZNK?8sparkles", r"_ZNK?(4grpc|9grpc_core)", r"_ZNK?6google8protobuf", r"_ZNK?4absl",
             r"(EVP|X509|ossl|tls|ssl)_", r"(Curl|curl)_"]


class Hardening(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.elf = ElfFile(BINARY)
        cls.dynamic = list(cls.elf.dynamic())
        cls.tags = {tag for tag, _ in cls.dynamic}

    def flags(self, tag):
        return next((value for name, value in self.dynamic if name == tag), 0)

    def test_binary_needs_no_loader_or_library(self):
        self.assertEqual(self.elf.of_type(elf_file.PT_INTERP), [])
        self.assertNotIn(elf_file.DT_NEEDED, self.tags)

    def test_binary_has_no_library_path(self):
        self.assertFalse(self.tags & {elf_file.DT_RPATH, elf_file.DT_RUNPATH})

    def test_binary_is_position_independent(self):
        self.assertEqual(self.elf.type, elf_file.ET_DYN)
        self.assertTrue(self.flags(elf_file.DT_FLAGS_1) & elf_file.DF_1_PIE)
        self.assertNotIn(elf_file.DT_TEXTREL, self.tags)

    def test_relocations_become_read_only(self):
        self.assertEqual(len(self.elf.of_type(elf_file.PT_GNU_RELRO)), 1)
        now = (elf_file.DT_BIND_NOW in self.tags
               or self.flags(elf_file.DT_FLAGS) & elf_file.DF_BIND_NOW
               or self.flags(elf_file.DT_FLAGS_1) & elf_file.DF_1_NOW)
        self.assertTrue(now)

    def test_no_segment_is_writable_and_executable(self):
        both = elf_file.PF_W | elf_file.PF_X
        loaded = self.elf.of_type(elf_file.PT_LOAD)
        self.assertTrue(loaded)
        self.assertEqual([each for each in loaded if each.flags & both == both], [])
        [stack] = self.elf.of_type(elf_file.PT_GNU_STACK)
        self.assertFalse(stack.flags & elf_file.PF_X)

    def test_thread_stack_is_one_mebibyte(self):
        [stack] = self.elf.of_type(elf_file.PT_GNU_STACK)
        self.assertEqual(stack.memory_bytes, 1 << 20)

    def test_binary_is_stripped_and_small(self):
        self.assertEqual(self.elf.symbols(), {})
        self.assertEqual([each.name for each in self.elf.sections
                          if each.name.startswith(".debug")], [])
        self.assertLess(BINARY.stat().st_size, LARGEST_BYTES)

    def test_binary_holds_no_builder_path(self):
        for path in (str(pathlib.Path.home()), os.getcwd(), "/sparklesworker/static"):
            self.assertFalse(f"{path}/".encode() in self.elf.data, path)


class DebugFile(unittest.TestCase):
    def test_debug_file_matches_build_id(self):
        shipped = ElfFile(BINARY)
        self.assertEqual(len(shipped.build_id()), 40)
        self.assertEqual(ElfFile(DEBUG).build_id(), shipped.build_id())
        link = shipped.section(".gnu_debuglink")
        name = shipped.data[link.offset:link.offset + link.size].split(b"\0")[0]
        self.assertEqual(name.decode(), DEBUG.name)

    def test_stacks_are_protected(self):
        """Uses the symbols, which only the debug file has."""
        symbols = ElfFile(DEBUG).symbols()
        self.assertIn("__stack_chk_guard", symbols)
        shipped = ElfFile(BINARY)
        if shipped.machine != "x86_64":
            self.assertIn("__stack_chk_fail", symbols)
            return
        functions = sorted((address, name) for name, address in symbols.items())
        protected = [functions[bisect.bisect(functions, (caller, "")) - 1][1]
                     for caller in shipped.callers(symbols["__stack_chk_fail"])]
        for whose in PROTECTED:
            count = sum(1 for name in protected if re.match(whose, name))
            self.assertGreater(count, 20, whose)

    def test_debug_file_has_line_numbers(self):
        self.assertIsNotNone(ElfFile(DEBUG).section(".debug_line"))


if __name__ == "__main__":
    unittest.main()
