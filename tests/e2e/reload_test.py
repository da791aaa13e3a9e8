#!/usr/bin/env python3
"""The configuration of the running program is replaced by SIGHUP."""

import pathlib
import re
import signal
import subprocess
import threading
import unittest

import lab


class ReloadTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab()
        cls.addClassCleanup(cls.lab.close)

    def setUp(self):
        self.config = pathlib.Path(self.lab.config())
        self.text = self.config.read_text()
        self.server = self.lab.serve(str(self.config))
        self.addCleanup(self.server.stop)
        self.reloads = 0

    def reload(self):
        """Sends HUP and gives what the log says of it."""
        begin = len(self.server.log())
        self.reloads += 1
        self.server.signal(signal.SIGHUP)
        ended = re.compile(rf"the configuration was (reloaded|refused).* reload={self.reloads}\b")
        lab.within(10, lambda: ended.search(self.server.log()[begin:]), "the reload has ended")
        return self.server.log()[begin:]

    def connections(self):
        return int(re.search(r'"connections":(\d+)', self.server.dump()).group(1))

    def test_new_file_serves_and_keeps_cache_and_connection(self):
        self.assertEqual(self.server.dig("www.plain.example", "A").status, "NOERROR")
        before = self.connections()
        self.config.write_text(self.text + "query: { any: forward }\n")
        self.assertIn("the configuration was reloaded", self.reload())
        self.assertEqual(self.server.dig("other.wild.plain.example", "A").status, "NOERROR")
        self.assertEqual(self.server.dig("www.plain.example", "A").status, "NOERROR")
        self.assertIn("hits 1,", self.server.dump())
        self.assertEqual(self.connections(), before)

    def test_refused_file_changes_nothing_and_every_error_is_logged(self):
        self.config.write_text(self.text + "cach: {}\nquery: { any: all }\n")
        log = self.reload()
        lines = self.text.count("\n")
        self.assertIn(f"{self.config}:{lines + 1}:1: cach: unknown key", log)
        self.assertIn(f"{self.config}:{lines + 2}:15: query.any: ", log)
        self.assertIn("what served before serves on", log)
        self.assertEqual(self.server.dig("www.plain.example", "A").status, "NOERROR")
        self.config.write_text(self.text)
        self.assertIn("the configuration was reloaded", self.reload())

    def test_what_needs_a_restart_is_named(self):
        self.config.write_text(self.text + "cache: { size: 1MiB, max_ttl: 2h }\n")
        log = self.reload()
        self.assertIn("cache.size: 64MiB stays until a restart; the new configuration has 1MiB", log)
        self.assertIn("the configuration was reloaded", log)
        self.assertIn("cache size 67108864,", self.server.dump())

    def test_drop_in_file_comes_in_force_and_its_errors_name_it(self):
        folder = self.config.parent / "dotward.d"
        folder.mkdir(exist_ok=True)
        drop_in = folder / "10-test.yaml"
        self.addCleanup(drop_in.unlink, missing_ok=True)
        drop_in.write_text("access: { allow: [] }\n")
        self.reload()
        self.assertEqual(self.server.dig("www.plain.example", "A").status, "REFUSED")
        drop_in.write_text("access: { allow: [everyone] }\n")
        self.assertIn(f"{drop_in}:1:19: access.allow[0]: ", self.reload())
        drop_in.unlink()
        self.reload()
        self.assertEqual(self.server.dig("www.plain.example", "A").status, "NOERROR")

    def test_log_level_changes_at_once(self):
        self.server.stop()
        self.config.write_text(self.text + "log: { level: error }\n")
        self.server = self.lab.serve(str(self.config))
        self.addCleanup(self.server.stop)
        self.assertEqual(self.server.log(), "")
        self.config.write_text(self.text)
        self.assertIn("the configuration was reloaded", self.reload())

    def test_nothing_is_lost_while_it_reloads(self):
        stop = threading.Event()
        failures = []
        asked = [0]

        def ask_on():
            while not stop.is_set():
                for name in ("www.plain.example", f"n{asked[0]}.wild.plain.example"):
                    reply = lab.ask(self.lab.address, self.server.port, lab.query(name), 5)
                    asked[0] += 1
                    if reply is None or lab.rcode(reply) != 0:
                        failures.append(name)

        client = threading.Thread(target=ask_on)
        client.start()
        try:
            for number in range(20):
                self.config.write_text(self.text + f"cache: {{ max_ttl: {1 + number}h }}\n")
                self.reload()
        finally:
            stop.set()
            client.join()
        self.assertEqual(failures, [])
        self.assertGreater(asked[0], 20)


class LayersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab(resolver=False)
        cls.addClassCleanup(cls.lab.close)

    def dotward(self, *arguments, **variables):
        return subprocess.run([lab.BINARY, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=30, check=False, env={"PATH": "/usr/bin:/bin", **variables})

    def test_setting_wins_over_the_file(self):
        config = self.lab.config("cache: { max_ttl: 2h }\n")
        printed = self.dotward("config", "--config", config, "--set", "cache.max_ttl=3h", "--set=workers=3").stdout
        self.assertIn("\n  max_ttl: 3h\n", printed)
        self.assertIn("\nworkers: 3\n", printed)

    def test_error_of_a_setting_says_command_line(self):
        for subcommand in ("check", "config", "run"):
            done = self.dotward(subcommand, "--config", self.lab.config(), "--set", "cache.sise=1MiB")
            self.assertEqual(done.returncode, 1)
            self.assertIn('command line: cache.sise: unknown key; did you mean "size"?', done.stderr)

    def test_variable_of_the_environment(self):
        config = self.lab.config("log: { level: \"${LAB_LEVEL:-info}\" }\n")
        self.assertIn("\n  level: info\n", self.dotward("config", "--config", config).stdout)
        self.assertIn("\n  level: debug\n", self.dotward("config", "--config", config, LAB_LEVEL="debug").stdout)

    def test_account_that_does_not_exist_is_an_error(self):
        config = self.lab.config("user: nobody-of-this-name\n")
        done = self.dotward("check", "--config", config)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r":\d+:\d+: user: there is no account \"nobody-of-this-name\"")

    def test_ca_file_without_certificates_is_an_error(self):
        text = ("upstreams: [{ name: a, addresses: [192.0.2.1], auth_name: a.example, "
                f"ca_file: {lab.ROOT}/LICENSE }}]\n")
        done = self.dotward("check", "--config", self.lab.write("ca.yaml", text))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r":1:\d+: upstreams\[0\]\.ca_file: .*has no usable certificate")


if __name__ == "__main__":
    lab.main()
