"""Tests of the live view: what a worker shows on a terminal, below its log."""
import re
import signal
import time
import unittest

from harness import BINARY, LOG_LINE, LabTest, wait_until
from terminal import TerminalWorker

ESCAPE = b"\x1b"


class ViewTest(LabTest):
    def setUp(self):
        super().setUp()
        self.gate = self.lab.directory / "gate"

    def waiting(self, name, then="true"):
        """A task that runs until the gate is there."""
        return self.lab.task(name, f"while [ ! -e {self.gate} ]; do sleep 0.05; done; {then}")

    def start(self, *flags, **options):
        terminal = TerminalWorker(self.lab, *flags, **options)
        self.addCleanup(terminal.close)
        return terminal

    def start_mixed(self, *flags, **options):
        """Starts two slots. Three tasks end in different ways, two run, and one waits."""
        self.lab.write_tasks(
            [self.lab.task("job.1", "true"), self.lab.task("job.2", "exit 3"),
             self.lab.task("job.3", "true",
                           downloads=[self.lab.download(self.lab.url("absent"), "in")]),
             self.waiting("job.4"), self.waiting("job.5"), self.waiting("job.6")])
        terminal = self.start("--slots", "2", *flags, **options)
        terminal.wait_for(lambda: terminal.screen.text().count("  running  ") == 2,
                          "shows two running tasks")
        return terminal

    def assert_clean(self, terminal):
        """Only the log is on the screen, and the next line begins below it."""
        screen = terminal.screen
        lines = screen.lines()
        text = [line for line in lines if line]
        for line in text:
            self.assertRegex(line, LOG_LINE)
        self.assertEqual(text, lines[:len(text)])
        self.assertEqual((screen.x, screen.block()[0]), (0, ""))
        self.assertNotEqual(screen.rows[screen.y - 1].text().strip(), "")
        self.assertNotIn(b"\x1b[?", terminal.raw)


class Screens(ViewTest):
    def assert_mixed(self, terminal, columns, bar_columns):
        screen = terminal.screen
        block = screen.block()
        self.assertEqual(block[0], "")
        self.assertRegex(block[1], rf"^[━─]{{{bar_columns}}}   50 %      0:\d\d"
                                   r"  (about \d+ \w+|a few seconds) left$")
        self.assertEqual(block[1].count("━"), bar_columns // 2)
        self.assertEqual(block[2], "2 done   1 failed   2 running   1 waiting   1 nonzero exit")
        self.assertRegex(block[3], r"^0  job\.[456]     running {23}0:\d\d$")
        self.assertRegex(block[4], r"^1  job\.[456]     running {23}0:\d\d$")
        self.assertEqual(block[5:], [""] * len(block[5:]))
        self.assertLess(max(map(len, block)), columns)
        for line in filter(None, screen.lines()[:-len(block)]):
            self.assertRegex(line, LOG_LINE)

    def test_80_columns_show_all(self):
        terminal = self.start_mixed()
        self.assert_mixed(terminal, 80, 39)
        self.assertEqual(terminal.screen.colours_of("1 failed"), {"red"})
        self.assertEqual(terminal.screen.colours_of("2 done"), {""})
        self.gate.touch()
        self.assertEqual(terminal.wait(), 0)
        self.assert_clean(terminal)
        self.assertIn("no task is left", terminal.screen.text())

    def test_200_columns_show_all(self):
        terminal = self.start_mixed(columns=200, rows=50)
        self.assert_mixed(terminal, 200, 80)

    def test_one_worker_has_one_line(self):
        self.lab.write_tasks([self.lab.task("a", "true"), self.waiting("b"), self.waiting("c")])
        terminal = self.start()
        terminal.wait_for_text("\nb")
        self.assertEqual(terminal.screen.block()[2], "1 done   0 failed   1 running   1 waiting")
        self.assertRegex(terminal.screen.block()[3], r"^b         running {23}0:\d\d$")

    def test_tasks_of_other_workers_count(self):
        self.lab.write_tasks([self.waiting("a"), self.waiting("b"), self.waiting("c")])
        other = self.lab.start_consume()
        wait_until(lambda: "a" in self.lab.states(), "the other worker runs a task")
        terminal = self.start()
        terminal.wait_for_text("2 running   1 waiting")
        self.lab.worker_was_killed = True
        other.signal(signal.SIGKILL)
        terminal.wait_for_text("1 running   2 waiting")

    def test_added_tasks_count(self):
        self.lab.write_tasks([self.waiting("a")])
        terminal = self.start()
        terminal.wait_for_text("1 running   0 waiting")
        self.lab.write_tasks([self.waiting(name) for name in "abcd"])
        terminal.wait_for_text("1 running   3 waiting")

    def test_odd_task_id_disturbs_nothing(self):
        self.lab.write_tasks([self.waiting("任务.1")])
        terminal = self.start()
        terminal.wait_for_text("\n任务.1")
        self.assertRegex(terminal.screen.block()[3], r"^任务\.1    running {23}0:\d\d$")

    def test_more_slots_than_rows_are_counted(self):
        self.lab.write_tasks([self.waiting(f"a.{n}") for n in range(8)])
        terminal = self.start("--slots", "8", rows=12)
        terminal.wait_for_text("8 running")
        self.assertEqual(terminal.screen.block()[7], "and 4 more slots")


class OtherTerminals(ViewTest):
    def test_no_color_removes_only_colours(self):
        terminal = self.start_mixed(NO_COLOR="1")
        self.assertNotRegex(terminal.raw, rb"\x1b\[[0-9]*m")
        self.assertIn("1 nonzero exit", terminal.screen.text())

    def test_other_locale_gets_ascii(self):
        terminal = self.start_mixed(LANG="C")
        self.assertRegex(terminal.screen.block()[1], r"^={19}-{20} ")

    def test_narrow_terminal_shows_one_line(self):
        self.lab.write_tasks([self.lab.task("a", "true"), self.waiting("b")])
        terminal = self.start(columns=39)
        terminal.wait_for_text("1 of 2 done, 1 running, 0:")
        self.assertEqual("".join(terminal.screen.block()[2:]), "")
        self.gate.touch()
        self.assertEqual(terminal.wait(), 0)
        self.assert_clean(terminal)

    def test_dumb_terminal_gets_no_sequences(self):
        for name in ("dumb", ""):
            with self.subTest(TERM=name):
                self.gate.unlink(missing_ok=True)
                self.lab.state_file.unlink(missing_ok=True)
                self.lab.write_tasks([self.lab.task("a", "true"), self.waiting("b")])
                terminal = self.start(TERM=name)
                terminal.wait_for_text("1 of 2 done, 1 running, 0:")
                self.gate.touch()
                self.assertEqual(terminal.wait(), 0)
                self.assert_clean(terminal)
                self.assertNotIn(ESCAPE, terminal.raw)

    def test_background_job_shows_no_view(self):
        self.lab.write_tasks([self.waiting("a")])
        words = " ".join(map(str, self.lab.consume_arguments()))
        terminal = self.start("-mc", f'"$WORKER" {words} & wait', program="/bin/sh",
                              WORKER=BINARY)
        terminal.wait_for_text("running: while")
        time.sleep(1)
        self.assertNotIn(ESCAPE, terminal.raw)
        self.gate.touch()
        self.assertEqual(terminal.wait(), 0)


class WithoutView(ViewTest):
    def assert_only_log(self, output):
        self.assertNotIn(ESCAPE, output)
        for line in output.decode().splitlines():
            self.assertRegex(line, LOG_LINE)

    def run_long(self, *flags, **options):
        """Runs two tasks long enough for a view."""
        self.lab.write_tasks([self.lab.task("a", "sleep 1"), self.lab.task("b", "sleep 1")])
        return self.start(*flags, **options)

    def test_file_gets_only_the_log(self):
        for flags in ((), ("--slots", "2")):
            with self.subTest(flags=flags):
                self.lab.state_file.unlink(missing_ok=True)
                self.lab.write_tasks([self.lab.task("a", "sleep 1"), self.lab.task("b", "sleep 1")])
                worker = self.lab.consume(*flags, environment={"TERM": "xterm", "NO_COLOR": ""})
                self.assertEqual(worker.exit_code, 0)
                self.assert_only_log(worker.stderr.encode())
                self.assertNotIn("\r", worker.stderr)

    def test_view_can_be_switched_off(self):
        terminal = self.run_long("--view", "off", "--slots", "2")
        self.assertEqual(terminal.wait(), 0)
        self.assert_only_log(terminal.raw)

    def test_json_has_no_view(self):
        terminal = self.run_long("--logFormat", "json")
        self.assertEqual(terminal.wait(), 0)
        self.assertNotIn(ESCAPE, terminal.raw)


class Changes(ViewTest):
    def assert_resized(self, reflow):
        terminal = self.start_mixed(columns=130)
        for columns in (60, 45, 100, 39, 80):
            terminal.resize(columns, 24, reflow)
            shown = "2 of 6 done" if columns < 40 else "2 done   1 failed"
            before = len(terminal.raw)
            terminal.wait_for(lambda: len(terminal.raw) > before
                              and shown in "\n".join(terminal.screen.block()[:4]),
                              f"draws the block for {columns} columns")
            text = "\n".join(terminal.screen.lines())
            self.assertEqual(len(re.findall("2 done  |2 of 6 done", text)), 1, text)
            self.assertLess(max(map(len, terminal.screen.block())), columns)
        self.gate.touch()
        self.assertEqual(terminal.wait(), 0)
        if reflow:
            self.assert_clean(terminal)

    def test_resized_terminal_shows_one_block(self):
        self.assert_resized(reflow=False)

    def test_wrapped_lines_leave_no_rest(self):
        self.assert_resized(reflow=True)

    def test_many_log_lines_stay_whole(self):
        tasks = [self.lab.task(f"a.{n}", "true") for n in range(60)]
        self.lab.write_tasks(tasks + [self.waiting("b")])
        terminal = self.start("--slots", "4", rows=30)
        terminal.wait_for_text("60 done")
        self.gate.touch()
        self.assertEqual(terminal.wait(), 0)
        self.assert_clean(terminal)
        text = "\n".join(terminal.screen.lines())
        for number in range(60):
            self.assertEqual(text.count(f"[a.{number}] complete, exit code 0"), 1)


class Ends(ViewTest):
    def test_term_leaves_clean_screen(self):
        terminal = self.start_mixed()
        terminal.worker.signal(signal.SIGTERM)
        self.assertEqual(terminal.wait(), 143)
        self.assert_clean(terminal)

    def test_ctrl_c_leaves_clean_screen(self):
        terminal = self.start_mixed()
        terminal.type(b"\x03")
        self.assertEqual(terminal.wait(), 130)
        lines = terminal.screen.lines()
        self.assertNotIn("2 running", "\n".join(lines))
        self.assertEqual(terminal.screen.x, 0)

    def test_third_signal_leaves_clean_screen(self):
        self.lab.write_tasks([self.lab.task("a", "trap '' TERM; sleep 60 & wait; sleep 60")])
        terminal = self.start("--grace", "60", "--stopWithin", "120")
        terminal.wait_for_text("\na")
        for _ in range(3):
            terminal.worker.signal(signal.SIGTERM)
            time.sleep(1.2)
        self.assertEqual(terminal.wait(), 143)
        self.assert_clean(terminal)

    def test_drain_is_shown(self):
        terminal = self.start_mixed()
        terminal.worker.signal(signal.SIGUSR1)
        terminal.wait_for_text("\ndraining: the running tasks finish, no others start")
        self.gate.touch()
        self.assertEqual(terminal.wait(), 0)
        self.assert_clean(terminal)


if __name__ == "__main__":
    unittest.main()
