"""Ports to listen on.

The one hard idea: a port that the kernel picks is one that it may also give to a client a moment
later, while our server boots or is down for a test. These are outside of the range that it picks
from; and to keep other tests from choosing the same one, each is bound for as long as this process
lives by a socket that does not listen. Whoever sets SO_REUSEADDR, as servers do, can bind it too.
"""
import pathlib
import random
import socket

LOWEST = 10_000
_held = []


def ephemeral_start():
    try:
        text = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
        return max(int(text.split()[0]), LOWEST + 1000)
    except OSError:
        return 32_768


def free_port():
    """A port of the loopback on which nobody listens, and which no other process gets from here."""
    chance = random.SystemRandom()  # many test processes choose at the same time
    while True:
        port = chance.randrange(LOWEST, ephemeral_start())
        probe = socket.socket()
        try:
            probe.bind(("127.0.0.1", port))  # without SO_REUSEADDR: it shares with no other probe
        except OSError:
            probe.close()
            continue
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _held.append(probe)
        return port
