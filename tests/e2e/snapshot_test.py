#!/usr/bin/env python3
"""The cache over a restart: the real binary is stopped, killed, and started again where nobody can be asked."""

import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import time
import unittest
import zlib

import lab

NOBODY = 9  # a port on which no upstream listens


def name_octets(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def snapshot_of(addresses, received, ttl=3600, version=1, trust=1):
    """A file as the format has it, with an A record for each name, written without the program."""
    written = int(received * 1000)
    header = b"\x9ddotward" + struct.pack("!IQI", version, written, trust)
    crc = zlib.crc32(header)
    parts = [header, struct.pack("!I", crc)]
    count, chunk = 0, b""

    def close(body, length):
        nonlocal crc
        head = struct.pack("!I", length)
        crc = zlib.crc32(body, zlib.crc32(head, crc))
        parts.extend((head, struct.pack("!I", crc), body))

    for name, address in addresses:
        question = name_octets(name) + struct.pack("!HH", 1, 1)
        answer = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, ttl, 4) + bytes(map(int, address.split(".")))
        message = struct.pack("!6H", 0, 0x8180, 1, 1, 0, 0) + question + answer
        chunk += struct.pack("!BQI", 0, written, ttl) + b"\x03lab\x00" + struct.pack("!H", len(message)) + message
        count += 1
        if len(chunk) > 60_000:
            close(chunk, len(chunk))
            chunk = b""
    if chunk:
        close(chunk, len(chunk))
    close(struct.pack("!Q", count), 0)
    return b"".join(parts)


class SnapshotTestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.port = lab.PORT + 20

    def setUp(self):
        type(self).port += 1
        self.folder = pathlib.Path(self.lab.path(f"state-{self.port}"))
        self.folder.mkdir()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.path = self.folder / "cache.snapshot"

    def config(self, dot_port=lab.DOT_PORT, extra="", path=None, stale="false"):
        return self.lab.config(f"cache:\n  snapshot: {{ path: {path or self.path}, interval: 10s }}\n"
                               f"  stale: {{ enabled: {stale}, max_age: 1d }}\n"
                               f"query: {{ deadline: 1s }}\n{extra}", port=self.port, dot_port=dot_port)

    def start(self, dot_port=lab.DOT_PORT, **options):
        server = self.lab.start(self.config(dot_port, **options), port=self.port)
        self.addCleanup(server.stop)
        return server.await_serving()

    def stop(self, server):
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0, server.log())

    def await_line(self, server, text, seconds=10):
        return lab.within(seconds, lambda: next((line for line in server.log().splitlines() if text in line), None),
                          f"{text}\n{server.log()}")

    def statistics(self, server):
        return json.loads(re.search(r'\{"schema":1.*\}', server.dump())[0])["cache"]["snapshot"]

    def fill(self, server):
        self.assertEqual(server.dig("www.plain.example", "A").data("A"), ["192.0.2.7"])
        self.assertEqual(server.dig("gone.plain.example", "A").status, "NXDOMAIN")
        self.assertEqual(server.dig("www.plain.example", "MX").answer, [])
        self.assertEqual(server.dig("www.signed.example", "A", "+dnssec").types(), ["A", "RRSIG"])
        self.assertEqual(server.dig("one.plain.example", "A").data("A"), ["192.0.2.9"])


class RestartTest(SnapshotTestCase):
    def test_C1_a_new_start_answers_at_once_without_any_upstream(self):
        server = self.start()
        self.fill(server)
        before = server.dig("www.plain.example", "A")
        self.stop(server)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        time.sleep(2)  # that the TTLs tell
        server = self.start(NOBODY)
        line = self.await_line(server, "the cache was loaded from its snapshot")
        self.assertRegex(line, r"entries=5 stale=0 too_old=0 unusable=0 not_stored=0 ms=\d+")
        self.fill(server)
        after = server.dig("www.plain.example", "A")
        self.assertLessEqual(after.ttl("A")[0], before.ttl("A")[0] - 2)
        self.assertGreater(after.ttl("A")[0], before.ttl("A")[0] - 60)
        self.assertEqual(server.dig("www.plain.example", "A", "+cdflag").status, "SERVFAIL", "CD is another entry")
        self.assertEqual(self.statistics(server)["entries"], 5)
        self.assertLess(abs(self.statistics(server)["timestamp_seconds"] - time.time()), 60)

    def test_kill_loses_no_more_than_one_interval(self):
        server = self.start()
        self.assertEqual(server.dig("www.plain.example", "A").data("A"), ["192.0.2.7"])
        self.await_line(server, "the cache was written to its snapshot", 30)
        self.assertEqual(server.dig("mixed.plain.example", "A").data("A"), ["192.0.2.8"])
        server.child.kill()
        server.wait()
        server = self.start(NOBODY)
        self.await_line(server, "the cache was loaded from its snapshot")
        self.assertEqual(server.dig("www.plain.example", "A").data("A"), ["192.0.2.7"])
        self.assertEqual(server.dig("mixed.plain.example", "A").status, "SERVFAIL")

    def test_what_had_expired_is_left_out_where_nothing_stale_is_given(self):
        self.path.write_bytes(snapshot_of([("old.plain.example", "192.0.2.99")], time.time() - 1000, ttl=300))
        server = self.start(NOBODY)
        line = self.await_line(server, "the cache was loaded from its snapshot")
        self.assertIn("entries=0 stale=0 too_old=1", line)
        self.assertEqual(server.dig("old.plain.example", "A").status, "SERVFAIL")

    def given_stale(self, server, name):
        reply = server.dig(name, "A")
        self.assertEqual((reply.status, reply.data("A")), ("NOERROR", ["192.0.2.99"]))
        self.assertEqual(reply.ttl("A"), [30])
        self.assertIn(3, [code for code, _ in reply.ede])

    def test_C8_what_had_expired_is_given_stale_where_no_upstream_answers(self):
        octets = snapshot_of([("old.plain.example", "192.0.2.99")], time.time() - 1000, ttl=300)
        self.path.write_bytes(octets)
        server = self.start(NOBODY, stale="true")
        line = self.await_line(server, "the cache was loaded from its snapshot")
        self.assertIn("entries=1 stale=1 too_old=0", line)
        self.given_stale(server, "old.plain.example")

    def test_C8_what_is_older_than_stale_may_be_is_left_out(self):
        self.path.write_bytes(snapshot_of([("old.plain.example", "192.0.2.99")], time.time() - 90_000, ttl=300))
        server = self.start(NOBODY, stale="true")
        self.assertIn("entries=0 stale=0 too_old=1", self.await_line(server, "the cache was loaded from its snapshot"))

    def test_C8_a_clock_behind_the_file_makes_everything_stale(self):
        """As on a machine whose clock begins at 1970 with every boot."""
        self.path.write_bytes(snapshot_of([("later.plain.example", "192.0.2.99")], time.time() + 86400))
        server = self.start(NOBODY, stale="true")
        self.await_line(server, "the clock is behind the snapshot of the cache")
        line = self.await_line(server, "the cache was loaded from its snapshot")
        self.assertIn("entries=1 stale=1 too_old=0", line)
        self.given_stale(server, "later.plain.example")

    def test_the_account_it_becomes_can_write(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become another account")
        self.folder.chmod(0o755)
        shutil.chown(self.folder, "nobody")
        self.lab.folder.chmod(0o755)
        server = self.start(extra="user: nobody\n")
        self.assertEqual(server.dig("www.plain.example", "A").data("A"), ["192.0.2.7"])
        self.stop(server)
        self.assertEqual(self.path.owner(), "nobody")
        server = self.start(NOBODY, extra="user: nobody\n")
        self.await_line(server, "the cache was loaded from its snapshot")
        self.assertEqual(server.dig("www.plain.example", "A").data("A"), ["192.0.2.7"])


class FaultyFileTest(SnapshotTestCase):
    IGNORED = "the snapshot of the cache is ignored as a whole"

    def ignored(self, octets):
        self.path.write_bytes(octets)
        server = self.start()
        line = self.await_line(server, self.IGNORED)
        self.assertEqual(server.dig("www.plain.example", "A").data("A"), ["192.0.2.7"])
        self.assertEqual(self.statistics(server)["failures"], 1)
        self.stop(server)
        return line, server

    def sound(self):
        return snapshot_of([(f"host{i}.plain.example", "192.0.2.99") for i in range(2000)], time.time())

    def test_a_torn_file_is_ignored_and_replaced(self):
        line, _ = self.ignored(self.sound()[:70_000])
        self.assertIn("damaged at octet 70000", line)
        server = self.start(NOBODY)
        self.assertRegex(self.await_line(server, "the cache was loaded from its snapshot"), "entries=1 ")

    def test_a_damaged_file_is_ignored(self):
        octets = bytearray(self.sound())
        octets[100_000] ^= 4
        line, _ = self.ignored(bytes(octets))
        self.assertRegex(line, r"damaged at octet \d+: the checksum of its part")

    def test_a_newer_file_is_ignored_and_replaced(self):
        line, _ = self.ignored(snapshot_of([], time.time(), version=7))
        self.assertIn("its version is 7", line)
        self.assertEqual(self.path.read_bytes()[8:12], b"\0\0\0\1")

    def test_a_file_of_other_settings_is_ignored(self):
        line, _ = self.ignored(snapshot_of([("www.plain.example", "192.0.2.99")], time.time(), trust=0))
        self.assertIn("other settings", line)

    def test_a_foreign_file_is_ignored_and_kept(self):
        text = b"# not yours\n" * 100
        line, server = self.ignored(text)
        self.assertIn("not a snapshot of dotward", line)
        self.assertEqual(self.path.read_bytes(), text)
        self.assertIn("so it is not replaced", server.log())

    def test_check_warns_of_a_folder_that_is_missing(self):
        done = subprocess.run([lab.BINARY, "check", "--config", self.config(path=self.folder / "nowhere" / "cache")],
                              capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout + done.stderr, r"cache\.snapshot\.path: warning: there is no folder .*/nowhere")

    def test_check_warns_of_a_folder_that_the_account_may_not_write_to(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become another account")
        self.folder.chmod(0o755)
        warning = r'warning: the account "nobody" may not write to the folder '
        command = [lab.BINARY, "check", "--config", self.config(extra="user: nobody\n")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout + done.stderr, warning)
        shutil.chown(self.folder, "nobody")
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        self.assertNotRegex(done.stdout + done.stderr, "warning")

    def test_a_folder_that_is_missing_costs_a_line(self):
        server = self.start(path=self.folder / "nowhere" / "cache")
        self.assertEqual(server.dig("www.plain.example", "A").data("A"), ["192.0.2.7"])
        self.stop(server)
        self.assertEqual(server.log().count("the snapshot of the cache cannot be written"), 1, server.log())

    def test_a_full_disk_costs_a_line(self):
        if os.geteuid() != 0:
            self.skipTest("only root can mount a small disk")
        # A file system of one page: enough for a name, not for a cache.
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "dotward-test", self.folder],
                                 capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            self.skipTest(mounted.stderr)
        self.addCleanup(subprocess.run, ["umount", self.folder], check=True)
        server = self.start()
        for number in range(100):
            server.dig(f"host{number}.wild.plain.example", "A")
        self.stop(server)
        self.assertIn("No space left on device", server.log())
        self.assertEqual(list(self.folder.iterdir()), [])


class LoadTest(SnapshotTestCase):
    ENTRIES = 200_000

    def test_loading_pauses_nobody(self):
        names = [(f"host{i}.plain.example", f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}") for i in range(self.ENTRIES)]
        self.path.write_bytes(snapshot_of(names, time.time()))
        server = self.start(NOBODY)
        loaded = "the cache was loaded from its snapshot"
        slowest, asked = 0.0, 0
        end = time.monotonic() + 30
        while loaded not in server.log() or asked < 1000:
            self.assertLess(time.monotonic(), end, server.log())
            for _ in range(100):
                begun = time.monotonic()
                self.assertIsNotNone(lab.ask(server.address, server.port, lab.query("version.bind", 16, 3), 2))
                slowest = max(slowest, time.monotonic() - begun)
                asked += 1
        # Of a machine that does other things too: what would be seen is a load that holds up every query.
        self.assertLess(slowest, 0.5)
        self.assertRegex(self.await_line(server, loaded), rf"entries={self.ENTRIES} stale=0")
        self.assertEqual(server.dig("host199999.plain.example", "A").data("A"), ["10.3.13.63"])


if __name__ == "__main__":
    lab.main()
