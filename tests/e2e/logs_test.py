#!/usr/bin/env python3
"""What those read who are not asking: the log of limited clients, and what a supervisor is told."""

import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import unittest

import lab

CLIENT = "127.0.0.1"  # what asks from no address of its own
WAIT_ALL = 0x40000000  # __WALL: threads too


class LimitsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab()
        cls.addClassCleanup(cls.lab.close)

    def events(self, server, event):
        found = [json.loads(line) for line in server.log().splitlines()]
        return [line for line in found if line["event"].startswith(event)]

    def test_A6_client_outside_the_access_list_is_named_once_and_then_counted(self):
        config = self.lab.config('access:\n  allow: ["10.0.0.0/8"]\nlog:\n  format: json\n')
        server = self.lab.start(config)
        lab.within(10, lambda: '"event":"serving"' in server.log(), "dotward serves")
        for number in range(50):
            self.assertEqual(lab.rcode(lab.ask(self.lab.address, server.port, lab.query(f"name{number}.example"))), 5)
        first = self.events(server, "client outside access.allow")
        self.assertEqual([(line["times"], line["clients"], line["client"]) for line in first], [(1, 1, CLIENT)])
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0, server.log())
        rest = self.events(server, "client outside access.allow")[1:]
        self.assertEqual([(line["times"], line["client"]) for line in rest], [(49, CLIENT)])
        self.assertNotIn("name1", server.log())

    def test_A6_client_that_waits_for_too_much_is_named(self):
        relay = self.lab.relay()
        self.addCleanup(relay.close)
        server = self.lab.serve(self.lab.config("limits:\n  waiting_per_client: 4\nlog:\n  format: json\n",
                                                dot_port=lab.RELAY_PORT))
        self.assertEqual(server.dig("first.wild.plain.example", "A").status, "NOERROR")
        relay.hold()
        queries = [lab.query(f"w{number}.wild.plain.example") for number in range(12)]
        with lab.Flight(self.lab.address, server.port, queries) as flight:
            self.assertEqual(len(flight.replies(1)), 8)
            relay.release()
        (line,) = self.events(server, "client waits for too many answers") or \
            self.events(server, "too many answers of one domain")
        self.assertEqual((line["level"], line["client"], line["times"]), ("warning", CLIENT, 1))
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0, server.log())
        told = [line for line in self.events(server, "") if "times" in line]
        self.assertEqual(sum(line["times"] for line in told), 8, told)


class QueryLogTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab()
        cls.addClassCleanup(cls.lab.close)

    def serve(self, name, settings):
        path = pathlib.Path(self.lab.path(name))
        server = self.lab.serve(self.lab.config(f"log:\n  queries: {{ enabled: true, file: {path}, {settings} }}\n"))
        return server, path

    @staticmethod
    def lines(path, name):
        """The lines about `name`; those of the lab's own looking whether it serves are others."""
        return [line for line in map(json.loads, path.read_text().splitlines()) if line.get("name") == name]

    def test_query_is_a_line_with_what_the_reference_says(self):
        server, path = self.serve("queries.log", "client_address: full")
        for _ in range(2):
            server.dig("www.plain.example", "A")
        server.dig("missing.plain.example", "A", "+tcp")
        lab.within(5, lambda: self.lines(path, "missing.plain.example."), "the lines are written")
        first, second = self.lines(path, "www.plain.example.")
        (missing,) = self.lines(path, "missing.plain.example.")
        self.assertEqual((first["source"], second["source"]), ("upstream", "cache"))
        self.assertGreater(first["duration_us"], second["duration_us"])
        self.assertEqual((missing["rcode"], missing["transport"], missing["client"]), ("NXDOMAIN", "tcp", CLIENT))
        page = (lab.ROOT / "docs/logging.md").read_text().split("## The query log")[1].split("## ")[0]
        documented = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`[^|]*) \|", page, re.M))))
        self.assertLessEqual(set(first) | set(missing), documented)
        self.assertLessEqual(documented - {"class", "ede"}, set(first))
        server.stop()

    def test_usr2_opens_the_query_log_anew(self):
        server, path = self.serve("rotated-queries.log", "client_address: none")
        server.dig("www.plain.example", "A")
        lab.within(5, lambda: self.lines(path, "www.plain.example."), "the line is written")
        self.assertNotIn("client", self.lines(path, "www.plain.example.")[0])
        path.rename(str(path) + ".1")
        server.signal(signal.SIGUSR2)
        lab.within(5, path.exists, "the log is there again")
        server.dig("www.plain.example", "A")
        lab.within(5, lambda: self.lines(path, "www.plain.example."), "the new file is written to")
        server.stop()

    def test_lines_that_are_owed_are_written_before_the_end(self):
        server, path = self.serve("last-queries.log", "sample: 1")
        queries = [lab.query(f"q{number}.wild.plain.example") for number in range(100)]
        lab.ask_all(self.lab.address, server.port, queries, 5)
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0, server.log())
        for number in range(100):
            self.assertEqual(len(self.lines(path, f"q{number}.wild.plain.example.")), 1)

    def test_file_that_cannot_be_made_is_exit_code_3(self):
        config = self.lab.config(f"log:\n  queries: {{ enabled: true, file: {self.lab.path('no/such/folder')} }}\n")
        server = self.lab.start(config)
        self.assertEqual(server.wait(), 3)
        self.assertIn("no/such/folder", server.log())


class Supervisor:
    """Hears what a service tells its manager (sd_notify(3))."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)

    def hear(self, seconds=10):
        """The next message as {variable: value}, or {} where there is none."""
        self.socket.settimeout(seconds)
        try:
            return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())
        except OSError:
            return {}


class HeldThread:
    """One thread of another process stands still meanwhile, the others go on."""

    SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17  # ptrace(2)

    def __init__(self, pid, name):
        (self.thread,) = [int(path.name) for path in pathlib.Path(f"/proc/{pid}/task").iterdir()
                          if (path / "comm").read_text().strip() == name]
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]

    def ptrace(self, request):
        return self.libc.ptrace(request, self.thread, None, None)

    def __enter__(self):
        if self.ptrace(self.SEIZE) != 0:
            raise unittest.SkipTest("this system lets no thread be held: " + os.strerror(ctypes.get_errno()))
        self.ptrace(self.INTERRUPT)
        os.waitpid(self.thread, WAIT_ALL)
        return self

    def __exit__(self, *_):
        self.ptrace(self.DETACH)


class SupervisorTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab(resolver=False)
        cls.addClassCleanup(cls.lab.close)

    def setUp(self):
        self.supervisor = Supervisor(self.lab.path(f"notify-{self.id().rsplit('.', 1)[1]}"))
        self.addCleanup(self.supervisor.socket.close)

    def start(self, **environment):
        environment = {"NOTIFY_SOCKET": self.supervisor.path, **environment}
        os.environ.update(environment)
        try:
            return self.lab.start()
        finally:
            for name in environment:
                del os.environ[name]

    def test_ready_is_told_when_it_serves_and_stopping_before_it_ends(self):
        server = self.start()
        ready = self.supervisor.hear()
        self.assertEqual((ready["READY"], ready["STATUS"]), ("1", f"serving on {self.lab.address}:{lab.PORT}"))
        self.assertTrue(server.serves())
        self.assertEqual(self.supervisor.hear(0.2), {})  # nobody has asked for pings
        server.signal(signal.SIGTERM)
        self.assertEqual(self.supervisor.hear().get("STOPPING"), "1")
        self.assertEqual(server.wait(), 0, server.log())

    def test_ready_is_not_told_where_an_address_is_taken(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind((self.lab.address, lab.PORT))
            server = self.start()
            self.assertEqual(server.wait(), 2, server.log())
        self.assertEqual(self.supervisor.hear(0.1), {})

    def test_pings_come_while_it_lives_and_end_when_it_hangs(self):
        server = self.start(WATCHDOG_USEC="400000")
        self.assertEqual(self.supervisor.hear().get("READY"), "1")
        for _ in range(5):
            self.assertEqual(self.supervisor.hear(2), {"WATCHDOG": "1"})
        with HeldThread(server.child.pid, "worker 0"):
            while self.supervisor.hear(0.3):  # one may have been on its way
                pass
            self.assertEqual(self.supervisor.hear(1), {}, "a ping although a worker hangs")
        self.assertEqual(self.supervisor.hear(2), {"WATCHDOG": "1"})
        server.stop()


class UnitTest(unittest.TestCase):
    """deploy/systemd/dotward.service."""

    UNIT = lab.ROOT / "deploy/systemd/dotward.service"

    def test_systemd_accepts_the_unit(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is missing")
        with lab.Lab(resolver=False) as place:
            # systemd looks whether the program is there, which it is where the unit has been installed.
            unit = place.write("dotward.service", self.UNIT.read_text().replace("/usr/local/bin/dotward", lab.BINARY))
            done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60,
                                  check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_unit_asks_for_what_the_program_tells(self):
        settings = dict(re.findall(r"^(\w+)=(.*)$", self.UNIT.read_text(), re.M))
        self.assertEqual(settings["Type"], "notify")
        self.assertGreaterEqual(int(settings["WatchdogSec"]), 10)


if __name__ == "__main__":
    lab.main()
