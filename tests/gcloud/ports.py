"""Reserves ports to listen on.

The kernel could give a port of its own range to a client while our server starts, or is down for a
test. These ports are outside of that range. This process keeps each port bound by a socket that
does not listen, so that no other test takes it. A server that sets SO_REUSEADDR can bind it too.
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
    """A free port of the loopback interface that no other process gets from this function."""
    chance = random.SystemRandom()  # many test processes choose at the same time
    while True:
        port = chance.randrange(LOWEST, ephemeral_start())
        probe = socket.socket()
        try:
            probe.bind(("127.0.0.1", port))  # no SO_REUSEADDR: probes do not share it
        except OSError:
            probe.close()
            continue
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _held.append(probe)
        return port
