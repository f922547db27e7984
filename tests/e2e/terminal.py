"""A terminal for a worker: a pseudo terminal, and a screen that shows what the worker writes.

The screen knows exactly the sequences that the worker may write, and fails on all others.
"""
import codecs
import fcntl
import os
import re
import select
import signal
import struct
import termios
import unicodedata

from harness import state_of, wait_until

SEQUENCE = re.compile(r"\x1b\[([0-9]*)([A-Za-z])")
COLOURS = {"0": "", "2": "dim", "31": "red", "32": "green", "33": "yellow"}
BLANK = (" ", "")


class Row:
    """The cells of a row. A cell is a character and its colour; "" follows a wide character."""

    def __init__(self, columns, cells=(), wraps=False):
        self.cells = list(cells) + [BLANK] * (columns - len(cells))
        self.wraps = wraps  # the next row continues this line

    def text(self):
        return "".join(character for character, _ in self.cells)

    def clear_from(self, x):
        self.cells[x:] = [BLANK] * (len(self.cells) - x)
        self.wraps = False


class Screen:
    def __init__(self, columns, rows):
        self.columns, self.height = columns, rows
        self.rows = [Row(columns) for _ in range(rows)]
        self.scrolled = []  # rows that have left the screen at its top
        self.x = self.y = 0
        self._colour = ""
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._unread = ""

    def feed(self, data):
        text = self._unread + self._decode(data)
        self._unread = ""
        at = 0
        while at < len(text):
            if text[at] != "\x1b":
                self._print(text[at])
                at += 1
                continue
            match = SEQUENCE.match(text, at)
            if match is None and re.fullmatch(r"\x1b(\[[0-9]*)?", text[at:]):
                self._unread = text[at:]
                return
            assert match, f"unknown sequence {text[at:at + 10]!r}"
            self._obey(*match.groups())
            at = match.end()

    def _print(self, character):
        if character == "\n":
            self._next_row()
        elif character == "\r":
            self.x = 0
        else:
            assert character >= " " and character != "\x7f", f"control character {character!r}"
            width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
            if self.x + width > self.columns:
                self.rows[self.y].wraps = True
                self.x = 0
                self._next_row()
            cells = [(character, self._colour), ("", self._colour)][:width]
            self.rows[self.y].cells[self.x:self.x + width] = cells
            self.x += width

    def _next_row(self):
        if self.y + 1 < self.height:
            self.y += 1
            return
        self.scrolled.append(self.rows.pop(0))
        self.rows.append(Row(self.columns))

    def _obey(self, argument, letter):
        if letter == "m":
            self._colour = COLOURS[argument]
        elif letter == "A":
            self.y = max(self.y - int(argument), 0)
        elif letter in "KJ" and not argument:
            # In the last column some terminals would erase the last character.
            assert self.x < self.columns, "erases after a full row"
            self.rows[self.y].clear_from(self.x)
            for row in self.rows[self.y + 1:] if letter == "J" else ():
                row.clear_from(0)
        else:
            raise AssertionError(f"unknown sequence ESC[{argument}{letter}")

    def resize(self, columns, reflow):
        """Changes the width. With `reflow` long lines are wrapped again, else they are cut."""
        if not reflow:
            for row in self.rows:
                row.cells = (row.cells + [BLANK] * columns)[:columns]
            self.columns, self.x = columns, min(self.x, columns - 1)
            return
        old, cursor = self.scrolled + self.rows, len(self.scrolled) + self.y
        new, line, offset, place = [], [], 0, (0, 0)
        for number, row in enumerate(old):
            if number == cursor:
                offset = len(line) + self.x
            line += row.cells
            if row.wraps:
                continue
            while line and line[-1] == BLANK:
                line.pop()
            pieces = [line[at:at + columns] for at in range(0, len(line), columns)] or [[]]
            if offset is not None and number >= cursor:
                place, offset = (len(new) + offset // columns, offset % columns), None
            new += [Row(columns, piece, wraps=True) for piece in pieces]
            new[-1].wraps = False
            line = []
        while len(new) > self.height and new[-1].text().strip() == "" and len(new) - 1 > place[0]:
            new.pop()
        new += [Row(columns) for _ in range(self.height - len(new))]
        self.scrolled, self.rows = new[:-self.height], new[-self.height:]
        self.columns, self.x, self.y = columns, place[1], place[0] - len(self.scrolled)

    def lines(self):
        """The text of the screen and of what has scrolled away, without wraps."""
        lines, text = [], ""
        for row in self.scrolled + self.rows:
            text += row.text()
            if not row.wraps:
                lines.append(text.rstrip())
                text = ""
        return lines

    def text(self):
        return "\n".join(row.text().rstrip() for row in self.rows)

    def block(self):
        """The rows from the cursor's row on."""
        return [row.text().rstrip() for row in self.rows[self.y:]]

    def colours_of(self, text):
        """The colours of the first place with this text on the screen."""
        row = next(row for row in self.rows if text in row.text())
        at = row.text().index(text)
        return {colour for _, colour in row.cells[at:at + len(text)]}


class TerminalWorker:
    """A worker whose stderr is a terminal."""

    def __init__(self, lab, *flags, columns=80, rows=24, program=None, **environment):
        self._master, slave = os.openpty()
        self._set_size(columns, rows)
        self.screen = Screen(columns, rows)
        self.raw = b""
        environment = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "", "LC_CTYPE": "",
                       "NO_COLOR": "", **environment}
        start = lab.start if program else lab.start_consume
        options = {"program": program} if program else {}
        self.worker = start(
            *flags, environment=environment, stdin=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(2, termios.TIOCSCTTY, 0), **options)
        os.close(slave)

    def close(self):
        os.close(self._master)

    def _set_size(self, columns, rows):
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self, seconds):
        """Shows what the worker has written. False if it has written nothing."""
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the last process has closed the terminal
            return False
        self.raw += data
        self.screen.feed(data)
        return bool(data)

    def wait_for(self, condition, what):
        def holds():
            while self._read(0):
                pass
            return condition()
        try:
            wait_until(holds, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen.text()}") from None

    def wait_for_text(self, text):
        self.wait_for(lambda: text in self.screen.text(), f"shows {text!r}")

    def type(self, text):
        os.write(self._master, text)

    def resize(self, columns, rows, reflow):
        """Resizes the terminal at a point between two writes of the worker."""
        self.worker.signal(signal.SIGSTOP)
        wait_until(lambda: state_of(self.worker.pid) == "T", "the worker is stopped")
        while self._read(0.1):
            pass
        self._set_size(columns, rows)
        self.screen.resize(columns, reflow)
        self.worker.signal(signal.SIGCONT)

    def wait(self):
        """Waits for the end of the worker, and returns its exit code."""
        self.wait_for(lambda: self.worker.exit_code is not None, "the worker has ended")
        while self._read(0.1):
            pass
        return self.worker.exit_code
