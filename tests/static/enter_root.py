#!/usr/bin/env python3
"""Runs a program in another root directory: enter_root.py JSON PROGRAM [ARGUMENT...]

JSON is an object with these keys; only "root" is required:
  root          the directory
  mounts        {path below root: path of this machine}: bind mounts in a new namespace
  read_only     [path below root, ...]
  uid           the user; limits: {"NOFILE": 64, ...}; umask: 63
  forbidden     system calls that answer with the error `answer`: ENOSYS as under an old kernel, or
                EPERM as under an old seccomp profile
  environment   all variables

Without root's rights, the script becomes root of a new user namespace.
"""
import ctypes
import errno
import json
import os
import platform
import resource
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO = 0x7FFF0000, 0x50000
BPF_LOAD_WORD, BPF_JUMP_EQUAL, BPF_RETURN = 0x20, 0x15, 0x06

# Name -> number on (x86_64, aarch64); newer calls have the same number on both.
SYSTEM_CALLS = {
    "getrandom": (318, 278), "memfd_create": (319, 279), "renameat2": (316, 276),
    "membarrier": (324, 283), "copy_file_range": (326, 285), "preadv2": (327, 286),
    "pwritev2": (328, 287), "statx": (332, 291), "rseq": (334, 293),
    "pidfd_send_signal": (424,) * 2, "io_uring_setup": (425,) * 2, "pidfd_open": (434,) * 2,
    "clone3": (435,) * 2, "close_range": (436,) * 2, "openat2": (437,) * 2,
    "pidfd_getfd": (438,) * 2, "faccessat2": (439,) * 2, "epoll_pwait2": (441,) * 2,
    "fchmodat2": (452,) * 2,
}


def check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source, target, flags):
    check(LIBC.mount(source.encode(), target.encode(), None, ctypes.c_ulong(flags), None),
          f"mount {target}")


def enter_namespaces():
    uid, gid = os.getuid(), os.getgid()
    check(LIBC.unshare(CLONE_NEWNS | (CLONE_NEWUSER if uid else 0)), "unshare")
    if uid:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"),
                           ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    mount("none", "/", MS_REC | MS_PRIVATE)


def mount_all(root, mounts, read_only):
    for path, source in mounts.items():
        mount(source, root + path, MS_BIND | MS_REC)
    for path in read_only:
        target = (root + path).rstrip("/")
        if path not in mounts:
            mount(target, target, MS_BIND | MS_REC)
        mount("none", target, MS_BIND | MS_REMOUNT | MS_RDONLY)


def forbid(names, answer):
    """Sets a seccomp filter, which the program and its children inherit."""
    column = {"x86_64": 0, "aarch64": 1}[platform.machine()]
    numbers = [SYSTEM_CALLS[name][column] for name in names]
    program = [struct.pack("HBBI", BPF_LOAD_WORD, 0, 0, 0)]  # the call's number
    for i, number in enumerate(numbers):
        program.append(struct.pack("HBBI", BPF_JUMP_EQUAL, len(numbers) - i, 0, number))
    program.append(struct.pack("HBBI", BPF_RETURN, 0, 0, SECCOMP_RET_ALLOW))
    refusal = SECCOMP_RET_ERRNO | getattr(errno, answer)
    program.append(struct.pack("HBBI", BPF_RETURN, 0, 0, refusal))
    code = ctypes.create_string_buffer(b"".join(program))
    filter_ = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    check(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    check(LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_, 0, 0), "seccomp")


def main():
    wish = json.loads(sys.argv[1])
    root = wish["root"]
    mounts, read_only = wish.get("mounts", {}), wish.get("read_only", [])
    if mounts or read_only or os.getuid():
        enter_namespaces()
    if read_only:
        mount(root, root, MS_BIND | MS_REC)
    mount_all(root, mounts, read_only)
    os.chdir(root)
    os.chroot(root)
    os.chdir("/")
    os.umask(wish.get("umask", 0o22))
    if wish.get("uid"):
        os.setgroups([])
        os.setgid(wish["uid"])
        os.setuid(wish["uid"])
    for name, value in wish.get("limits", {}).items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    if wish.get("forbidden"):
        forbid(wish["forbidden"], wish.get("answer", "ENOSYS"))
    os.execve(sys.argv[2], sys.argv[2:], wish.get("environment", {}))


if __name__ == "__main__":
    main()
