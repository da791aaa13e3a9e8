#!/usr/bin/env python3
"""One client asks for what is dear to validate, as much as it may; another must not notice. How long it waits at the
most is the benchmark's business: here it is held against what the first one waits, whatever machine this is."""

import json
import re
import signal
import statistics
import subprocess
import time
import unittest

import dnssec_dear_zones as dear
import dnssec_lab
import lab
from dnssec_zones import Zone

NAMES = 150  # of each kind, what the victim asks for once
VICTIM_SECONDS = 3
OPEN = 192  # fewer than limits.waiting_per_client lets a client have

ZONES = {
    ".": Zone(records=""),
    "lab": Zone(records="ns 300 A 127.0.0.1\n"),
    "innocent.lab": Zone(records=dear.numbered(NAMES)),
    "fresh.lab": Zone(),
    **{dear.child(number, "fresh.lab"): Zone(records="@ 300 A 192.0.2.1\n", algorithms=()) for number in range(NAMES)},
    "flood.lab": Zone(),
    # Answers of 16 KiB.
    "large.lab": Zone(records="".join(f"* 300 A 192.0.{n >> 8}.{n & 255}\n" for n in range(1000)), algorithms=()),
    "p384.lab": dear.dear(lambda zone: [dear.p384_key(zone)], 8, name="*"),
    "rsa.lab": dear.dear(lambda zone: dear.false_keys(zone, 4080, dear.DEAR_EXPONENT, 4), 4, name="*"),
}
HOT = dear.child(0, "innocent.lab")


class LoadLab(dnssec_lab.ZoneLab):
    zones = ZONES


class Attacker:
    """Another client, which asks for each name once and has as many questions open as it may."""

    def __init__(self, place, port, names):
        data = place.write("attack", "".join(f"{name} A\n" for name in names))
        command = [lab.program("dnsperf"), "-s", place.address, "-p", str(port), "-a", "127.66.66.66", "-d", data,
                   "-e", "-n", "1", "-l", "60", "-q", str(OPEN)]
        self._child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._child.poll() is None:
            self._child.kill()
            self._child.communicate()

    def average_seconds(self):
        """Ends it; what its answers took."""
        running = self._child.poll() is None
        self._child.send_signal(signal.SIGINT)
        printed, _ = self._child.communicate(timeout=30)
        if not running:
            raise AssertionError(f"the attack was over before its time\n{printed}")
        return float(re.search(r"Average Latency \(s\):\s+([\d.]+)", printed).group(1))


class DnssecLoadTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = LoadLab()
        cls.addClassCleanup(cls.lab.close)

    def serve(self):
        # Without, what does not exist would be known after a few questions.
        server = self.lab.serve_validating("  aggressive_nsec: off\n", waiting_per_client=200)
        self.addCleanup(server.stop)
        return server

    def count(self, server, group, name):
        """One of its statistics."""
        printed = lab.run(lab.BINARY, "stats", "--json", "--socket", self.lab.path(f"control-{server.port}.sock"))
        return json.loads(printed)[group][name]

    def ask(self, server, name, verdict):
        """How long the answer took, which must be the right one."""
        began = time.monotonic()
        reply = dnssec_lab.ask(server.address, server.port, name, "A")
        waited = time.monotonic() - began
        self.assertEqual(reply.verdict(), verdict, f"{name}: {reply}")
        return waited

    def waits(self, server, numbers, seconds=VICTIM_SECONDS):
        """Seconds that a client waits for each of its answers, by kind. The names are new each time, but for what is
        cached."""
        waits = {"hit": [], "miss": [], "denial": [], "new zone": []}
        end = time.monotonic() + seconds
        for number in numbers:
            for kind, name, verdict in (
                    ("hit", HOT, ("NOERROR", True)),
                    ("miss", dear.child(number, "innocent.lab"), ("NOERROR", True)),
                    ("denial", f"none{number}.innocent.lab", ("NXDOMAIN", True)),
                    ("new zone", dear.child(number, "fresh.lab"), ("NOERROR", False))):
                waits[kind].append(self.ask(server, name, verdict))
            if time.monotonic() > end:
                break
        return waits

    def assert_others_do_not_wait_for(self, zone, group="dnssec", name="signature_checks"):
        """Not for answers about this zone that one client asks for, which this statistic counts."""
        server = self.serve()
        numbers = iter(range(NAMES))
        self.waits(server, numbers, seconds=0)
        before = self.count(server, group, name)
        with Attacker(self.lab, server.port, (f"w{number}.{zone}" for number in range(60_000))) as attacker:
            lab.within(20, lambda: self.count(server, group, name) > before + OPEN, "the attack is under way")
            waits = self.waits(server, numbers)
            average = attacker.average_seconds()
        medians = {kind: statistics.median(samples) for kind, samples in waits.items()}
        # What this machine takes for a few round trips, when others want it too, is not what is asked about.
        self.assertLess(max(medians.values()), max(average / 4, 0.1), f"{medians}, the attacker {average}")
        return server

    def test_dear_signatures_of_one_client_keep_no_other_waiting(self):
        self.assert_others_do_not_wait_for("p384.lab")

    def test_many_keys_with_one_tag_for_one_client_keep_no_other_waiting(self):
        self.assert_others_do_not_wait_for("rsa.lab")

    def test_honest_denials_for_one_client_keep_no_other_waiting(self):
        self.assert_others_do_not_wait_for("flood.lab")

    def test_large_answers_for_one_client_keep_no_other_waiting(self):
        server = self.assert_others_do_not_wait_for("large.lab", "exchanges", "paced")
        self.assertIn("client asks for too many large answers", server.log())


if __name__ == "__main__":
    lab.main()
