"""Gives a test its own network and name resolution, by moving this process into namespaces."""
import ctypes
import fcntl
import os
import pathlib
import socket
import struct
import tempfile
import unittest

from harness import remove_tree

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x10000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK, IFF_UP = 0x8914, 0x8916, 0x891C, 1
ETC = ("/etc/resolv.conf", "/etc/hosts")


def _check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _loopback(request, value):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, request, struct.pack("16s16s", b"lo", value))


def set_ipv4(there):
    """Adds or removes the IPv4 address of the loopback interface."""
    address = socket.inet_aton("127.0.0.1" if there else "0.0.0.0")
    _loopback(SIOCSIFADDR, struct.pack("HH4s8x", socket.AF_INET, 0, address))


def enter(directory):
    """Moves this process into a network with only a loopback interface. There
    `directory`/resolv.conf and `directory`/hosts replace the files in /etc. Later child processes
    are there, too. Skips the test if this is not allowed. Call before other threads start."""
    uid, gid = os.getuid(), os.getgid()
    try:
        flags = CLONE_NEWNET | CLONE_NEWNS | (CLONE_NEWUSER if uid else 0)
        _check(LIBC.unshare(flags), "unshare")
        if uid:
            for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"),
                               ("gid_map", f"0 {gid} 1")):
                pathlib.Path("/proc/self", name).write_text(text, encoding="ascii")
        _check(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mount /")
        for path in ETC:
            source = pathlib.Path(directory, pathlib.Path(path).name)
            source.touch()
            target = os.path.realpath(path)
            _check(LIBC.mount(str(source).encode(), target.encode(), None, MS_BIND, None),
                   f"mount {path}")
        _loopback(SIOCSIFFLAGS, struct.pack("H14x", IFF_UP))
    except OSError as problem:
        raise unittest.SkipTest(f"no network of its own is allowed here ({problem})") from problem


def enter_for_module():
    """As `enter`, for all tests of a module. Returns the directory with resolv.conf and hosts."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="etc-"))
    unittest.addModuleCleanup(remove_tree, directory)
    enter(directory)
    return directory
