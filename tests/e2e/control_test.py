#!/usr/bin/env python3
"""A running server looked into and steered through its control socket, as an operator does it."""

import json
import os
import pathlib
import pty
import pwd
import re
import signal
import socket
import stat
import subprocess
import threading
import unittest

import lab

COLUMNS = 100


def dotward(*arguments, env=None, prefix=()):
    return subprocess.run([*prefix, lab.BINARY, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=30, check=False, env=env)


class ControlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.socket = cls.lab.path("control.sock")
        cls.config = cls.lab.config(f"admin:\n  socket: {cls.socket}\n")
        cls.server = cls.lab.serve(cls.config)

    def ask(self, *arguments, code=0):
        done = dotward(*arguments, "--socket", self.socket)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def table(self, *arguments):
        text = self.ask(*arguments)
        self.assertLessEqual(max(len(line) for line in text.splitlines()), COLUMNS, text)
        self.assertNotIn("\033", text)
        return text

    def json(self, *arguments, code=0):
        lines = [json.loads(line) for line in self.ask(*arguments, "--json", code=code).splitlines()]
        self.assertEqual({line["schema"] for line in lines}, {1})
        return lines if len(lines) > 1 else lines[0]

    # --- what is shown ---

    def test_status(self):
        status = self.json("status")
        self.assertEqual((status["ready"], status["pid"], status["workers"]), (True, self.server.child.pid, 2))
        self.assertEqual(status["listening"], [f"{self.lab.address}:{lab.PORT}"])
        self.assertEqual(status["config_file"], self.config)
        text = self.table("status")
        self.assertIn(f"pid {self.server.child.pid}: ready\n", text)
        self.assertIn(f"{self.lab.address}:{lab.PORT}", text)

    def test_stats_are_those_of_the_dump(self):
        self.server.dig("www.plain.example", "A")
        stats = self.json("stats")
        dump = json.loads(re.search(r'\{"schema":1.*\}', self.server.dump()).group())
        for volatile in ("time", "uptime_seconds"):
            stats.pop(volatile), dump.pop(volatile)
        self.assertEqual(stats["cache"]["insertions"], dump["cache"]["insertions"])
        self.assertEqual(stats.keys(), dump.keys())
        self.assertRegex(self.table("stats"), r"(?m)^cache\n(  .*\n)*  insertions +\d+$")

    def test_slow_shows_what_failed_and_its_way(self):
        before = self.json("slow")["seen"]
        self.assertEqual(self.server.dig("www.bogus.example", "A").status, "SERVFAIL")
        slow = self.json("slow")
        self.assertEqual(slow["seen"], before + 1)
        query = slow["queries"][0]
        self.assertEqual((query["name"], query["type"], query["rcode"], query["client"], query["transport"]),
                         ("www.bogus.example.", "A", "SERVFAIL", "127.0.0.1", "udp"))
        self.assertGreaterEqual(query["servers_asked"], 1)
        self.assertTrue(query["answered"] and query["reason"])
        self.assertGreater(query["seconds"], query["answer_seconds"])
        self.assertRegex(self.table("slow"), r"(?m)^\d\d:\d\d:\d\d .* SERVFAIL +A +www\.")

    def test_upstreams(self):
        self.server.dig("www.plain.example", "AAAA")
        (upstream,) = self.json("upstreams")["upstreams"]
        self.assertEqual((upstream["name"], upstream["state"]), ("lab", "connected"))
        header, row = self.table("upstreams").splitlines()
        self.assertTrue(header.startswith("NAME"))
        self.assertRegex(row, r"^lab +127\.\S+ +connected +1 +0 +\d+ +0 .*TLS1\.3")

    def test_cache_lookup_shows_age_and_ttl_and_provenance(self):
        self.server.dig("one.plain.example", "A", "+dnssec")
        entry, end = self.json("cache", "lookup", "one.plain.example", "A")
        self.assertEqual((end["end"], end["entries"]), (True, 1))
        self.assertEqual((entry["upstream"], entry["rcode"], entry["dnssec_ok"]), ("lab", "NOERROR", True))
        self.assertEqual([record["type"] for record in entry["records"]], ["CNAME", "CNAME", "A"])
        self.assertEqual(entry["verdict"], "unjudged")
        self.assertEqual(entry["ttl_seconds"], entry["lifetime_seconds"] - entry["age_seconds"])
        text = self.table("cache", "lookup", "ONE.plain.example")
        self.assertRegex(text, r"(?m)^one\.plain\.example\. A\n"
                               r"  .* left of .*, NOERROR positive, unjudged, from lab \S+:\d+, DO$")
        self.assertRegex(text, r"(?m)^    three\.plain\.example\. \d+ IN A 192\.0\.2\.9$")
        self.assertEqual(self.table("cache", "lookup", "never.plain.example"), "the cache has nothing of this\n")
        self.assertEqual(self.json("cache", "lookup", "one.plain.example", "MX")["entries"], 0)

    def test_cache_dump_has_every_entry(self):
        for number in range(200):
            self.server.dig(f"dump{number}.wild.plain.example", "A")
        *entries, end = self.json("cache", "dump")
        self.assertEqual(end["entries"], len(entries))
        names = {entry["name"] for entry in entries}
        self.assertTrue({f"dump{number}.wild.plain.example." for number in range(200)} <= names)
        lines = self.table("cache", "dump").splitlines()
        self.assertEqual(lines[-1], f"{len(lines) - 1} entries")

    def test_cache_flush_forgets_a_name_a_zone_and_everything(self):
        names = ("a.wild.plain.example", "b.wild.plain.example", "www.plain.example", "www.signed.example")

        def fill():
            for name in names:
                self.server.dig(name, "A")

        def cached():
            return [name for name in names if self.json("cache", "lookup", name, "A") != {
                "schema": 1, "end": True, "entries": 0}]

        fill()
        self.assertEqual(cached(), list(names))
        self.assertEqual(self.ask("cache", "flush", names[0]), "1 entry removed\n")
        self.assertEqual(cached(), list(names[1:]))
        self.assertGreaterEqual(self.json("cache", "flush", "--zone", "plain.example")["flushed"], 2)
        self.assertEqual(cached(), [names[3]])
        self.ask("cache", "flush", "--all")
        self.assertEqual(cached(), [])
        fill()
        self.assertEqual(cached(), list(names))

    def test_why_tells_how_a_question_would_be_answered(self):
        name = "why.wild.plain.example"
        why = self.json("why", name)
        self.assertEqual((why["outcome"], why["cache"], why["type"]), ("asked upstream", [], "A"))
        self.assertEqual(why["route"]["zone"], ".")
        self.assertEqual([upstream["name"] for upstream in why["route"]["upstreams"]], ["lab"])
        self.server.dig(name, "A", "+nodnssec")
        self.assertEqual(self.json("why", name, "A")["outcome"], "answered from the cache")
        text = self.table("why", name)
        self.assertTrue(text.startswith(f"{name}. A: answered from the cache\n"), text)
        self.assertIn("from lab", text)
        self.assertEqual(self.json("why", name, "AXFR")["outcome"], "refused")
        self.assertEqual(self.json("why", name, "ANY")["outcome"], "answered here")
        # Looking counts nothing and asks nobody.
        self.assertFalse([line for line in self.lab.queries_seen() if "AXFR" in line])

    def test_query_asks_past_the_cache(self):
        name = "query.wild.plain.example"
        for _ in range(2):
            answer = self.json("query", name)
            self.assertEqual((answer["rcode"], answer["upstream"], answer["authenticated"]), ("NOERROR", "lab", True))
            self.assertEqual([record["data"] for record in answer["records"] if record["section"] == "answer"],
                             ["192.0.2.10"])
        self.assertEqual(self.json("cache", "lookup", name)["entries"], 0)
        text = self.table("query", "www.plain.example", "AAAA", "--upstream", "lab", "--do")
        self.assertRegex(text, r"(?m)^;; status: NOERROR, flags: qr rd ra")
        self.assertRegex(text, r"(?m)^www\.plain\.example\. \d+ IN AAAA 2001:db8::7$")
        self.assertRegex(text, r"(?m)^;; from lab over TLS, its identity checked, in .*, \d+ octets$")

    def test_query_shows_the_extended_errors(self):
        answer = self.json("query", "www.bogus.example")
        self.assertEqual(answer["rcode"], "SERVFAIL")
        self.assertIn(6, [error["code"] for error in answer["extended_errors"]])
        self.assertIn(";; EDE 6: lab", self.table("query", "www.bogus.example"))

    def test_query_to_an_upstream_that_is_not_there_is_an_error(self):
        done = dotward("query", "www.plain.example", "--upstream", "nobody", "--socket", self.socket)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr, "dotward: no upstream is called nobody\n")
        reply = self.json("query", "www.plain.example", "--upstream", "nobody", code=1)
        self.assertEqual(reply["code"], "not_found")

    # --- how the socket is found ---

    def test_the_socket_is_that_of_the_configuration(self):
        done = dotward("status", "--config", self.config)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("ready", done.stdout)

    def test_a_broken_configuration_names_the_way_out(self):
        broken = self.lab.write("broken.yaml", "listen: [nowhere]\nadmin: {socket: /nonexistent/x}\n")
        done = dotward("status", "--config", broken, "--socket", self.socket)
        self.assertEqual(done.returncode, 0, done.stderr)
        if not os.path.exists("/run/dotward/control.sock"):
            done = dotward("status", "--config", broken)
            self.assertEqual(done.returncode, 1)
            self.assertIn("--socket PATH", done.stderr)
            self.assertIn(f"{broken}:1:10: listen[0]", done.stderr)

    def test_healthcheck_asks_the_socket_first(self):
        self.assertEqual(dotward("healthcheck", "--config", self.config).returncode, 0)
        # No such socket: the DNS probe remains, unless the socket was asked for by name.
        other = self.lab.config(f"admin:\n  socket: {self.lab.path('none.sock')}\n")
        self.assertEqual(dotward("healthcheck", "--config", other).returncode, 0)
        done = dotward("healthcheck", "--config", other, "--socket", self.lab.path("none.sock"))
        self.assertEqual(done.returncode, 2, done.stderr)

    # --- colour ---

    def on_terminal(self, **variables):
        main, child = pty.openpty()
        env = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm"} | variables
        try:
            subprocess.run([lab.BINARY, "status", "--socket", self.socket], stdin=subprocess.DEVNULL, stdout=child,
                           timeout=30, check=True, env=env)
            return os.read(main, 65536).decode()
        finally:
            os.close(main)
            os.close(child)

    def test_colour_is_for_terminals_and_who_wants_it(self):
        self.assertIn("\033[32mready\033[0m", self.on_terminal())
        self.assertNotIn("\033", self.on_terminal(NO_COLOR="1"))
        self.assertNotIn("\033", self.on_terminal(TERM="dumb"))

    # --- bad clients ---

    def test_clients_that_misbehave_cost_nobody_anything(self):
        stop = threading.Event()
        failures = []

        def misbehave(kind):
            while not stop.is_set():
                with socket.socket(socket.AF_UNIX) as client:
                    try:
                        client.connect(self.socket)
                        if kind == "garbage":
                            client.sendall(os.urandom(500) + b"\n")
                        elif kind == "dump and go":
                            client.sendall(b'{"schema":1,"command":"cache dump"}\n')
                        elif kind == "half":
                            client.sendall(b'{"schema":1,')
                            stop.wait(0.2)
                    except OSError:
                        continue

        threads = [threading.Thread(target=misbehave, args=(kind,)) for kind in ("garbage", "dump and go", "half")]
        for thread in threads:
            thread.start()
        try:
            for _ in range(200):
                if lab.ask(self.lab.address, lab.PORT, lab.query("www.plain.example"), 1) is None:
                    failures.append("no answer")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        self.assertIn("ready", self.ask("status"))


class SocketTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab(resolver=False)
        cls.addClassCleanup(cls.lab.close)

    def test_the_socket_is_for_owner_and_group_and_goes_with_the_server(self):
        path = self.lab.path("made/control.sock")
        server = self.lab.serve(self.lab.config(f"admin:\n  socket: {path}\n"))
        found = os.lstat(path)
        self.assertTrue(stat.S_ISSOCK(found.st_mode))
        self.assertEqual(stat.S_IMODE(found.st_mode), 0o660)
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0)
        self.assertFalse(os.path.exists(path))

    def test_the_socket_of_a_killed_server_is_replaced(self):
        config = self.lab.config(port=5511)
        path = re.search(r"socket: (\S+)", pathlib.Path(config).read_text(encoding="utf-8")).group(1)
        server = self.lab.serve(config, port=5511)
        server.signal(signal.SIGKILL)
        server.wait()
        done = dotward("status", "--config", config)
        self.assertEqual(done.returncode, 2)
        self.assertIn("the server that made it has ended", done.stderr)
        self.lab.serve(config, port=5511)
        self.assertEqual(dotward("status", "--socket", path).returncode, 0)

    def test_a_socket_that_is_in_use_is_an_error_that_says_so(self):
        path = self.lab.path("shared.sock")
        self.lab.serve(self.lab.config(f"admin:\n  socket: {path}\n", port=5512), port=5512)
        second = self.lab.start(self.lab.config(f"admin:\n  socket: {path}\n", port=5513), port=5513)
        self.assertEqual(second.wait(), 2, second.log())
        self.assertIn("another server is running and listens there", second.log())
        self.assertEqual(dotward("status", "--socket", path).returncode, 0)

    def test_a_path_that_cannot_be_made_ends_the_start(self):
        server = self.lab.start(self.lab.config("admin:\n  socket: /proc/nowhere/control.sock\n", port=5514), port=5514)
        self.assertEqual(server.wait(), 3, server.log())
        self.assertIn("/proc/nowhere", server.log())

    def test_without_a_server_the_path_is_named(self):
        done = dotward("status", "--socket", self.lab.path("none.sock"))
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn(f"there is no control socket at {self.lab.path('none.sock')}: is dotward running", done.stderr)

    def test_without_a_socket_in_the_configuration_that_is_said(self):
        done = dotward("status", "--config", self.lab.config('admin:\n  socket: ""\n'))
        self.assertEqual(done.returncode, 1)
        self.assertIn("admin.socket is empty", done.stderr)

    def test_who_lacks_permission_is_told_whose(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        user = pwd.getpwnam("nobody")
        drop = ("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
        if subprocess.run([*drop, "test", "-x", lab.BINARY], check=False).returncode != 0:
            self.skipTest("the binary is in a folder that only root can enter")
        path = self.lab.path("private.sock")
        self.lab.serve(self.lab.config(f"admin:\n  socket: {path}\n", port=5515), port=5515)
        done = dotward("status", "--socket", path, prefix=drop)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn(f"no permission for the control socket {path}, which belongs to root:root", done.stderr)

    def test_the_socket_goes_to_the_account_that_serves(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        user = pwd.getpwnam("nobody")
        # The folder of the lab is root's: what is made inside it is given away.
        path = self.lab.path("given/control.sock")
        server = self.lab.serve(self.lab.config(f"user: nobody\nadmin:\n  socket: {path}\n", port=5516), port=5516)
        for given in (path, self.lab.path("given")):
            self.assertEqual((os.lstat(given).st_uid, os.lstat(given).st_gid), (user.pw_uid, user.pw_gid))
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0, server.log())
        self.assertFalse(os.path.exists(path))


if __name__ == "__main__":
    unittest.main()
