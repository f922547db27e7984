"""Computes CRC-32C in plain Python, at about 100 MB/s.

A block is one big integer: a polynomial over GF(2) whose lowest bit is the highest power (the CRC's
own order). Its first half A and second half B of n bits are folded into A * (x**n mod P) + B, which
has the same remainder, until only a short rest is left for the usual table. The halves are divided
where x**n mod P has few terms, so that the product is a few shifts.
"""
import base64
import functools

_POLYNOMIAL = 0x82F63B78  # reflected: the highest bit is x**0
_BLOCK = 1 << 17  # bytes; fits into the processor's cache
_SHORT = 2048  # the table computes this many bits
_WINDOW = 4096  # number of places to divide a block that are tried


def _times_x(value):
    return (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)


def _make_table():
    table = list(range(256))
    for _ in range(8):
        table = [_times_x(value) for value in table]
    return table


_TABLE = _make_table()


def _feed(state, data):
    for byte in data:
        state = _TABLE[(state ^ byte) & 0xFF] ^ (state >> 8)
    return state


@functools.cache
def _power(exponent):
    """x**exponent mod P."""
    if exponent < 64:
        value = 1 << 31
    else:
        half = _power(exponent // 2)
        value = 0
        square = half
        for bit in range(31, -1, -1):  # half * half, x**(31 - bit) at a time
            value ^= square if half >> bit & 1 else 0
            square = _times_x(square)
        exponent %= 2
    for _ in range(exponent):
        value = _times_x(value)
    return value


@functools.cache
def _split(bits):
    """(length of the second part, shifts of the product) for a number of `bits`."""
    first = max(bits // 2 - _WINDOW // 2, 64)
    value = _power(first)
    best = (64, first, value)
    for length in range(first, min(first + _WINDOW, bits - 64)):
        best = min(best, (value.bit_count(), length, value))
        value = _times_x(value)
    _, length, value = best
    return length, [bit for bit in range(32) if value >> bit & 1]


def _feed_block(state, block):
    value = int.from_bytes(block, "little") ^ state
    bits = len(block) * 8
    while bits > _SHORT:
        low, shifts = _split(bits)
        high = bits - low
        first = value & ((1 << high) - 1)
        product = 0
        for shift in shifts:
            product ^= first << shift
        # Both are aligned at their highest bit, which is x**0.
        bits = max(high + 31, low)
        value = (product << (bits - high - 31)) ^ ((value >> high) << (bits - low))
    padding = -bits % 8
    return _feed(0, (value << padding).to_bytes((bits + padding) // 8, "little"))


def crc32c(data):
    """The CRC-32C of bytes, a bytearray or a memoryview."""
    state = 0xFFFFFFFF
    view = memoryview(data)
    for start in range(0, len(view), _BLOCK):
        block = view[start:start + _BLOCK]
        state = _feed_block(state, block) if len(block) > 1024 else _feed(state, block)
    return state ^ 0xFFFFFFFF


def crc32c_text(value):
    """The form of Cloud Storage: base64 of the four bytes, highest first."""
    return base64.b64encode(value.to_bytes(4, "big")).decode()
