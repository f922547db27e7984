"""Reads an ELF file with the standard library."""
import struct
from dataclasses import dataclass

ET_DYN = 3
MACHINES = {62: "x86_64", 183: "aarch64"}
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE = 1, 2, 3, 4
PT_GNU_STACK, PT_GNU_RELRO = 0x6474E551, 0x6474E552
PF_X, PF_W = 1, 2
SHT_SYMTAB = 2
DT_NEEDED, DT_RPATH, DT_TEXTREL, DT_BIND_NOW, DT_RUNPATH = 1, 15, 22, 24, 29
DT_FLAGS, DT_FLAGS_1 = 30, 0x6FFFFFFB
DF_BIND_NOW, DF_1_NOW, DF_1_PIE = 0x8, 0x1, 0x08000000
NT_GNU_BUILD_ID = 3


@dataclass
class Segment:
    type: int
    flags: int
    offset: int
    file_bytes: int
    memory_bytes: int


@dataclass
class Section:
    name: str
    type: int
    address: int
    offset: int
    size: int
    link: int


class ElfFile:
    """A 64-bit little-endian ELF file."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        if self.data[:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"{path}: not a 64-bit little-endian ELF file")
        (self.type, machine, _, _, segments, sections, _, _, segment_size, segment_count,
         section_size, section_count, names) = struct.unpack_from("<HHIQQQIHHHHHH", self.data, 16)
        self.machine = MACHINES.get(machine, str(machine))
        self.segments = [self._segment(segments + i * segment_size) for i in range(segment_count)]
        raw = [struct.unpack_from("<IIQQQQIIQQ", self.data, sections + i * section_size)
               for i in range(section_count)]
        self.sections = [Section(self._text(raw[names][4] + each[0]), each[1], each[3], each[4],
                                 each[5], each[6]) for each in raw]

    def _segment(self, at):
        type_, flags, offset, _, _, file_bytes, memory_bytes, _ = struct.unpack_from(
            "<IIQQQQQQ", self.data, at)
        return Segment(type_, flags, offset, file_bytes, memory_bytes)

    def _text(self, at):
        return self.data[at:self.data.index(b"\0", at)].decode("ascii")

    def of_type(self, type_):
        return [segment for segment in self.segments if segment.type == type_]

    def dynamic(self):
        """(tag, value) of each entry of the dynamic section."""
        for segment in self.of_type(PT_DYNAMIC):
            for at in range(segment.offset, segment.offset + segment.file_bytes, 16):
                tag, value = struct.unpack_from("<qQ", self.data, at)
                if tag == 0:
                    return
                yield tag, value

    def build_id(self):
        """The build ID in hex, or ""."""
        for segment in self.of_type(PT_NOTE):
            at, end = segment.offset, segment.offset + segment.file_bytes
            while at < end:
                name_bytes, bytes_, type_ = struct.unpack_from("<III", self.data, at)
                content = at + 12 + (name_bytes + 3) // 4 * 4
                if type_ == NT_GNU_BUILD_ID and self.data[at + 12:at + 16] == b"GNU\0":
                    return self.data[content:content + bytes_].hex()
                at = content + (bytes_ + 3) // 4 * 4
        return ""

    def section(self, name):
        return next((section for section in self.sections if section.name == name), None)

    def symbols(self):
        """{symbol: address}; empty for a stripped file."""
        addresses = {}
        for table in self.sections:
            if table.type == SHT_SYMTAB:
                texts = self.sections[table.link].offset
                for at in range(table.offset, table.offset + table.size, 24):
                    name, _, _, _, address = struct.unpack_from("<IBBHQ", self.data, at)
                    addresses[self._text(texts + name)] = address
        return addresses

    def callers(self, address):
        """The places in x86_64 code that look like a call of this address."""
        text = self.section(".text")
        code = self.data[text.offset:text.offset + text.size]
        at = code.find(b"\xe8")
        while 0 <= at <= len(code) - 5:
            after = text.address + at + 5
            if after + struct.unpack_from("<i", code, at + 1)[0] == address:
                yield after
            at = code.find(b"\xe8", at + 1)
