#!/usr/bin/env python3
"""The program as an operator meets it: command line, exit codes, signals, logs."""

import json
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess
import time
import unittest

import lab


def dotward(*arguments):
    return subprocess.run([lab.BINARY, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=30, check=False)


class CommandLineTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab(resolver=False)
        cls.addClassCleanup(cls.lab.close)

    def test_version_names_the_libraries(self):
        done = dotward("version")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"dotward \d+\.\d+\.\d+")
        self.assertRegex(done.stdout, r"ldns \d+\.\d+\.\d+")
        self.assertRegex(done.stdout, r"(?i)gnutls \d+\.\d+\.\d+")

    def test_check_accepts_a_sound_file(self):
        config = self.lab.config()
        done = dotward("check", "--config", config)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, f"{config}: OK"))

    def test_shipped_configurations_are_sound(self):
        for path in sorted((lab.ROOT / "conf").rglob("*.yaml")):
            with self.subTest(path.name):
                self.assertEqual(dotward("check", "--config", str(path)).returncode, 0)

    def test_printed_configuration_is_accepted_and_prints_the_same(self):
        for arguments in ((), ("--config", self.lab.config())):
            printed = dotward("config", *arguments)
            self.assertEqual(printed.returncode, 0, printed.stderr)
            again = self.lab.write("printed.yaml", printed.stdout)
            self.assertEqual(dotward("check", "--config", again).returncode, 0)
            self.assertEqual(dotward("config", "--config", again).stdout, printed.stdout)

    def test_every_error_is_printed_with_its_place(self):
        text = 'listen: ["127.0.0.1:99999"]\ncach:\n  size: 1MiB\nquery:\n  deadline: soon\n'
        config = self.lab.write("bad.yaml", text)
        for subcommand in ("check", "run"):
            with self.subTest(subcommand):
                done = dotward(subcommand, "--config", config)
                self.assertEqual(done.returncode, 1)
                printed = done.stdout + done.stderr
                places = re.findall(rf"^.*?{re.escape(config)}:(\d+):(\d+): ([\w.\[\]]+): ", printed, re.M)
                self.assertEqual([(int(line), path) for line, _, path in places],
                                 [(1, "listen[0]"), (2, "cach"), (5, "query.deadline")], printed)
                self.assertRegex(printed, r"did you mean .?cache")

    def test_file_that_is_not_there_is_a_configuration_error(self):
        done = dotward("run", "--config", self.lab.path("nowhere.yaml"))
        self.assertEqual(done.returncode, 1)
        self.assertIn(self.lab.path("nowhere.yaml"), done.stdout + done.stderr)

    def test_unknown_subcommand_is_refused(self):
        self.assertEqual(dotward("serve").returncode, 1)

    def test_address_in_use_is_exit_code_2(self):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            with self.subTest(kind.name), socket.socket(socket.AF_INET, kind) as taken:
                taken.bind((self.lab.address, 5500))
                if kind == socket.SOCK_STREAM:
                    taken.listen()
                server = self.lab.start(self.lab.config(port=5500))
                self.assertEqual(server.wait(), 2, server.log())
                self.assertIn(f"{self.lab.address}:5500", server.log())

    def test_no_permission_for_port_53_is_exit_code_2_and_names_the_remedies(self):
        lowest = int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii"))
        if os.geteuid() == 0 and lowest > 53:
            user = pwd.getpwnam("nobody")
            drop = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups",
                    "--bounding-set=-all", "--inh-caps=-all"]
        elif lowest > 53:
            drop = []
        else:
            self.skipTest("this system lets everyone take port 53")
        if subprocess.run([*drop, "test", "-x", lab.BINARY], check=False).returncode != 0:
            self.skipTest("the binary is in a folder that only root can enter")
        done = subprocess.run([*drop, lab.BINARY, "run", "--listen", f"{self.lab.address}:53"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertRegex(done.stdout, r"(?i)CAP_NET_BIND_SERVICE|setcap")

    def test_listen_on_the_command_line_replaces_the_files(self):
        self.lab.serve(self.lab.config(port=5501), port=5502, arguments=("--listen", f"{self.lab.address}:5502"))
        self.assertIsNone(lab.ask(self.lab.address, 5501, lab.query("version.bind", 16, 3), 0.3))

    def test_healthcheck_tells_a_running_server_from_none(self):
        config = self.lab.config(port=5503)
        self.assertNotEqual(dotward("healthcheck", "--config", config).returncode, 0)
        self.lab.serve(config, port=5503)
        self.assertEqual(dotward("healthcheck", "--config", config).returncode, 0)


class SignalsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab()
        cls.addClassCleanup(cls.lab.close)

    def test_term_answers_what_is_in_flight_and_exits_0(self):
        relay = self.lab.relay()
        self.addCleanup(relay.close)
        for number, name in ((signal.SIGTERM, "term"), (signal.SIGINT, "int")):
            with self.subTest(name):
                server = self.lab.serve(self.lab.config(dot_port=lab.RELAY_PORT))
                self.assertEqual(server.dig(f"{name}.wild.plain.example", "A").status, "NOERROR")
                relay.hold()
                query = lab.query(f"last-{name}.wild.plain.example")
                with lab.Flight(self.lab.address, server.port, [query]) as flight:
                    lab.within(5, lambda: relay.held_octets > 0, "the query is on its way")
                    server.signal(number)
                    self.assertEqual(flight.replies(0.2), {})
                    self.assertTrue(server.running())
                    relay.release()
                    (reply,) = flight.replies(5).values()
                self.assertEqual(lab.rcode(reply), 0)
                self.assertEqual(server.wait(), 0, server.log())

    def test_term_with_a_thousand_in_flight_answers_them_all(self):
        relay = self.lab.relay()
        self.addCleanup(relay.close)
        config = self.lab.config("limits:\n  waiting_per_client: 2000\n", dot_port=lab.RELAY_PORT)
        server = self.lab.serve(config)
        self.assertEqual(server.dig("first.wild.plain.example", "A").status, "NOERROR")

        def in_flight():
            line = re.search(r'\{"schema":1.*\}', server.dump()).group(0)
            return json.loads(line)["exchanges"]["in_flight"]

        relay.hold()
        queries = [lab.query(f"n{number}.wild.plain.example", query_id=number) for number in range(1000)]
        with lab.Flight(self.lab.address, server.port, queries) as flight:
            lab.within(5, lambda: in_flight() == 1000, "all wait for the upstream")
            server.signal(signal.SIGTERM)
            self.assertEqual(flight.replies(0.1), {})
            relay.release()
            replies = flight.replies(10)
        self.assertEqual(len(replies), 1000)
        self.assertEqual({lab.rcode(reply) for reply in replies.values()}, {0})
        self.assertEqual(server.wait(), 0, server.log())

    def test_idle_server_stops_at_once(self):
        server = self.lab.serve()
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(2), 0, server.log())

    def test_usr1_writes_the_statistics_and_changes_none(self):
        server = self.lab.serve()
        for _ in range(3):
            server.dig("www.plain.example", "A")
        dumps = [server.dump(), server.dump()]
        for text in dumps:
            self.assertRegex(text, r"cache size 67108864, \d+/1 cache insertions re-used unexpired cache entries\.")
            self.assertRegex(text, r"cache entries 1, bytes \d+, hits 2, misses 1, ")
            self.assertRegex(text, r"queries forwarded 1, queries answered locally \d+")
            self.assertIn(f"server lab {self.lab.address}#{lab.DOT_PORT}: queries sent 1, retried 0, failed 0", text)
        first, second = (json.loads(re.search(r'\{"schema":1.*\}', text).group(0)) for text in dumps)
        self.assertEqual(first["schema"], 1)
        for dump in (first, second):
            dump.pop("time", None)
        self.assertEqual(set(first), set(second))
        server.stop()

    def test_usr2_opens_the_log_anew(self):
        log = pathlib.Path(self.lab.path("rotated.log"))
        server = self.lab.serve(self.lab.config(f"log:\n  file: {log}\n"))
        lab.within(5, lambda: log.exists() and log.stat().st_size > 0, "the log is begun")
        old = log.rename(str(log) + ".1")
        size = old.stat().st_size
        server.signal(signal.SIGUSR2)
        lab.within(5, log.exists, "the log is there again")
        server.signal(signal.SIGUSR1)
        lab.within(5, lambda: '"schema":1' in log.read_text(), "the new file is written to")
        self.assertNotIn('"schema":1', old.read_text()[size:])
        server.stop()

    def test_log_file_of_root_is_opened_anew_by_the_user_that_serves(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become another user")
        folder = pathlib.Path(self.lab.path("logs"))
        folder.mkdir(mode=0o755)
        log = folder / "dotward.log"
        server = self.lab.serve(self.lab.config(f"user: nobody\nlog:\n  file: {log}\n"))
        self.assertEqual(log.stat().st_uid, pwd.getpwnam("nobody").pw_uid)
        # The folder is root's: the new file is too, which is said at start.
        self.assertRegex(log.read_text(), r"warning the log file cannot be made again after .*Permission denied")
        server.signal(signal.SIGUSR2)
        server.signal(signal.SIGUSR1)
        lab.within(5, lambda: '"schema":1' in log.read_text(), "the file is written to")
        self.assertNotIn("stays as it was", log.read_text())
        log.rename(str(log) + ".1")
        server.signal(signal.SIGUSR2)
        old = pathlib.Path(str(log) + ".1")
        lab.within(5, lambda: "the log file stays as it was" in old.read_text(), "the failure is said")
        server.stop()

    def test_repeated_event_is_folded_and_told_after_ten_seconds(self):
        folder = pathlib.Path(self.lab.path("gone"))
        folder.mkdir()
        log = folder / "dotward.log"
        server = self.lab.serve(self.lab.config(f"log:\n  file: {log}\n"))
        kept = folder.rename(self.lab.path("kept")) / "dotward.log"
        start = time.monotonic()
        for count in range(1, 4):
            server.signal(signal.SIGUSR2)
            server.signal(signal.SIGUSR1)
            lab.within(5, lambda wanted=count: kept.read_text().count('"schema":1') == wanted, "the signals are served")
        self.assertEqual(kept.read_text().count("the log file stays as it was"), 1)
        again = r"last message repeated \d times?: the log file stays as it was"
        lab.within(15, lambda: re.search(again, kept.read_text()), "the repeats are told")
        self.assertGreater(time.monotonic() - start, 9)
        server.stop()

    def test_full_disk_stops_nothing(self):
        server = self.lab.serve(self.lab.config("log:\n  file: /dev/full\n"))
        self.assertEqual(server.dig("www.plain.example", "A").status, "NOERROR")
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0, server.log())

    def test_json_log_is_one_object_a_line_and_names_no_client(self):
        server = self.lab.serve(self.lab.config("log:\n  format: json\n"))
        server.dig("private.wild.plain.example", "A")
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0)
        lines = server.log().splitlines()
        self.assertGreater(len(lines), 1)
        for line in lines:
            self.assertIsInstance(json.loads(line), dict)
        self.assertNotIn("private", server.log())


if __name__ == "__main__":
    lab.main()
