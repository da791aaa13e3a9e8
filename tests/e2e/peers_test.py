#!/usr/bin/env python3
"""Servers of other makers as upstreams: each is asked 100,000 names, one of two is restarted meanwhile, and not one
query is lost."""

import re
import time
import unittest

import lab
import peers

QUERIES = 100_000
NOISE = 0.5  # seconds that a busy machine may add


def config(place, *upstreams):
    described = "".join(f"""  - name: {peer.name}-{peer.port}
    addresses: [{peer.address}]
    port: {peer.port}
    auth_name: {lab.AUTH_NAME}
    ca_file: {place.path("ca.pem")}
""" for peer in upstreams)
    return place.write("peers.yaml", f"""listen: ["{place.address}:{lab.PORT}"]
workers: 2
upstreams:
{described}forward:
  - zone: "."
    upstreams: [{", ".join(f"{peer.name}-{peer.port}" for peer in upstreams)}]
limits:
  waiting_per_client: 20000
dnssec: {{ validation: off }}
admin: {{ socket: "{place.path("control.sock")}" }}
""")


def forwarded(server):
    return int(re.search(r"queries forwarded (\d+)", server.dump())[1])


class PeersTest(unittest.TestCase):
    def assert_loses_nothing(self, kind):
        with lab.Lab(resolver=False) as place:
            first, second = (kind(place).start() for _ in range(2))
            server = place.serve(config(place, first, second))
            names = place.write("names", "".join(f"n{number}.wild.plain.example A\n" for number in range(QUERIES)))
            load = lab.Process(["dnsperf", "-s", place.address, "-p", str(server.port), "-d", names, "-n", "1",
                                "-q", "200", "-c", "8", "-t", "5"], place.path("dnsperf.log"))
            place.keep(load)
            lab.within(60, lambda: forwarded(server) > QUERIES / 3, "a third of the load")
            first.stop()
            first.start()
            self.assertTrue(load.running(), "the load was over before the restart\n" + load.log())
            self.assertEqual(load.wait(60), 0, load.log())
            printed = load.log()
            found = re.findall(r"Queries (sent|completed|lost):\s+(\d+)", printed)
            counts = {what: int(count) for what, count in found}
            codes = dict(re.findall(r"(NOERROR|NXDOMAIN|SERVFAIL|REFUSED|FORMERR) (\d+)", printed))
            figures = ", ".join(re.search(what + r".*", printed)[0] for what in ("Run time", "Average Latency"))
            print(f"{kind.name}: {counts}, {codes}, {figures}", flush=True)
            trouble = "\n".join(log[-1500:] for log in (printed, server.log(), first.log(), second.log()))
            self.assertEqual(counts, {"sent": QUERIES, "completed": QUERIES, "lost": 0}, trouble)
            self.assertEqual(codes, {"NOERROR": str(QUERIES)}, trouble)

    def assert_is_back_at_once(self, kind):
        with lab.Lab(resolver=False) as place:
            peer = kind(place).start()
            server = place.serve(config(place, peer))
            count = 0

            def ask():
                nonlocal count
                count += 1
                message = lab.query(f"n{count}.wild.plain.example", edns=1232)
                reply = lab.ask(place.address, server.port, message, 3)
                self.assertIsNotNone(reply, "a query was lost\n" + server.log())
                return lab.rcode(reply)

            self.assertEqual(ask(), 0)
            peer.stop()
            down = time.monotonic()
            # Clients go on asking, and are told.
            while time.monotonic() < down + 2:
                self.assertEqual(ask(), 2)
                time.sleep(0.02)
            peer.start()
            back = time.monotonic()
            lab.within(10, lambda: ask() == 0, "an answer\n" + server.log())
            took = time.monotonic() - back
            print(f"{kind.name}: first good answer {took * 1000:.0f} ms after the return", flush=True)
            self.assertLess(took, 1 + NOISE, server.log())

    def test_U4_unbound(self):
        self.assert_loses_nothing(peers.Unbound)

    def test_U7_unbound_alone(self):
        self.assert_is_back_at_once(peers.Unbound)

    def test_U4_knot_resolver(self):
        self.assert_loses_nothing(peers.KnotResolver)

    def test_U7_knot_resolver_alone(self):
        self.assert_is_back_at_once(peers.KnotResolver)

    def test_U4_dnsdist(self):
        self.assert_loses_nothing(peers.Dnsdist)

    def test_U7_dnsdist_alone(self):
        self.assert_is_back_at_once(peers.Dnsdist)

    def test_U4_named(self):
        self.assert_loses_nothing(peers.Named)

    def test_U7_named_alone(self):
        self.assert_is_back_at_once(peers.Named)


if __name__ == "__main__":
    lab.main()
