#!/usr/bin/env python3
"""Upstreams without TLS, and upstreams by host name. NSD is the server that is asked: it answers over UDP and TCP."""

import re
import socket
import struct
import threading
import time
import unittest

import lab

BOOTSTRAP_PORT = 5302
CLEAR = "queries for every name go in the clear to plain"


class Bootstrap:
    """Answers every A query over UDP with one address, and anything else with nothing found."""

    def __init__(self, listen, address):
        self.asked = 0
        self._address = address
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(listen)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            message, client = self._socket.recvfrom(4096)
            if not message:
                return
            end = message.index(b"\0", 12) + 5  # of the question
            is_address = message[end - 4 : end] == struct.pack("!HH", 1, 1)
            header = message[:2] + struct.pack("!HHHHH", 0x8180, 1, int(is_address), 0, 0)
            answer = struct.pack("!HHHIH", 0xC00C, 1, 1, 300, 4) + socket.inet_aton(self._address)
            self.asked += 1
            self._socket.sendto(header + message[12:end] + (answer if is_address else b""), client)

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()


def config(place, upstream, extra=""):
    place_count = len(list(place.folder.glob("plain-*.yaml")))
    return place.write(
        f"plain-{place_count}.yaml",
        f"""listen: ["{place.address}:{lab.PORT}"]
workers: 1
upstreams:
  - name: plain
{upstream}
query:
  deadline: 2s
dnssec: {{ validation: off }}
admin: {{ socket: "{place.path("control.sock")}" }}
{extra}""",
    )


class PlainUpstreamTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab(resolver=False)
        cls.addClassCleanup(cls.lab.close)

    def serve(self, protocol):
        server = self.lab.serve(
            config(
                self.lab,
                f"    addresses: [{self.lab.address}]\n    port: {lab.NSD_PORT}\n    protocol: {protocol}",
            )
        )
        self.addCleanup(server.stop)
        return server

    def test_udp_answers(self):
        server = self.serve("udp")
        self.assertEqual(server.dig("www.plain.example", "A").data("A"), ["192.0.2.7"])
        self.assertEqual(server.dig("missing.plain.example", "A").status, "NXDOMAIN")

    def test_S1_an_answer_that_is_too_large_for_udp_comes_whole(self):
        server = self.serve("udp")
        reply = server.dig("+tcp", "huge.plain.example", "TXT")
        self.assertEqual((reply.status, len(reply.data("TXT"))), ("NOERROR", 40))

    def test_tcp_answers(self):
        server = self.serve("tcp")
        self.assertEqual(server.dig("www.plain.example", "A").data("A"), ["192.0.2.7"])
        self.assertEqual(len(server.dig("+tcp", "huge.plain.example", "TXT").data("TXT")), 40)

    def test_the_log_warns_once_of_what_goes_in_the_clear(self):
        server = self.serve("udp")
        for name in ("www.plain.example", "mixed.plain.example", "short.plain.example"):
            server.dig(name, "A")
        warnings = [line for line in server.log().splitlines() if CLEAR in line]
        self.assertEqual(len(warnings), 1, server.log())
        self.assertRegex(warnings[0], r"\bwarning\b")

    def test_a_thousand_names_over_udp_lose_none(self):
        server = self.serve("udp")
        for batch in range(10):
            names = [f"q{batch}-{number}.wild.plain.example" for number in range(100)]
            queries = [lab.query(name, query_id=number) for number, name in enumerate(names)]
            with lab.Flight(self.lab.address, server.port, queries) as flight:
                replies = flight.replies(10)
            self.assertEqual((len(replies), {lab.rcode(reply) for reply in replies.values()}), (100, {0}))
        self.assertRegex(server.dump(), r"server plain [0-9.]+#5301: queries sent 1000, retried \d+, failed 0,")


class RestartTest(unittest.TestCase):
    def test_U7_a_server_that_refuses_fails_at_once_and_is_in_use_soon_after_it_returns(self):
        with lab.Lab(resolver=False) as place:
            server = place.serve(
                config(place, f"    addresses: [{place.address}]\n    port: {lab.NSD_PORT}\n    protocol: udp")
            )
            self.assertEqual(server.dig("www.plain.example", "A").status, "NOERROR")
            place.nsd.stop()
            start = time.monotonic()
            reply = server.dig("during.wild.plain.example", "A")
            self.assertLess(time.monotonic() - start, 1.5)
            self.assertEqual(reply.status, "SERVFAIL")
            self.assertTrue({code for code, _ in reply.ede} & {22, 23}, reply.text)
            self.assertRegex(server.log(), r"cannot be reached: Connection refused")
            place.start_nsd()
            lab.within(4, lambda: server.dig("after.wild.plain.example", "A").data("A") == ["192.0.2.10"], "an answer")
            server.stop()


class HostNameTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab(resolver=False)
        cls.addClassCleanup(cls.lab.close)

    def serve(self):
        return self.lab.serve(
            config(
                self.lab,
                f"    addresses: [dns.lab.example]\n    port: {lab.NSD_PORT}\n    protocol: udp",
                f'bootstrap: ["{self.lab.address}:{BOOTSTRAP_PORT}"]\n',
            )
        )

    def test_the_bootstrap_resolver_tells_where_the_upstream_is(self):
        bootstrap = Bootstrap((self.lab.address, BOOTSTRAP_PORT), self.lab.address)
        self.addCleanup(bootstrap.close)
        server = self.serve()
        self.addCleanup(server.stop)
        lab.within(5, lambda: server.dig("www.plain.example", "A").data("A") == ["192.0.2.7"], "an answer")
        self.assertGreaterEqual(bootstrap.asked, 1)

    def test_an_address_beside_the_name_serves_whatever_becomes_of_the_name(self):
        server = self.lab.serve(
            config(
                self.lab,
                f"    addresses: [dns.lab.example, {self.lab.address}]\n    port: {lab.NSD_PORT}\n    protocol: udp",
            )
        )
        self.addCleanup(server.stop)
        self.assertEqual(server.dig("www.plain.example", "A").data("A"), ["192.0.2.7"])
        # NSD has no such name, and says so: it was asked.
        lab.within(5, lambda: re.search(r"dns\.lab\.example: the name has no addresses", server.log()), "an answer")

    def test_U9_starts_without_a_network_and_resolves_the_name_later(self):
        server = self.serve()
        self.addCleanup(server.stop)
        reply = server.dig("www.plain.example", "A")
        self.assertEqual(reply.status, "SERVFAIL")
        lab.within(5, lambda: re.search(r"cannot resolve.*dns\.lab\.example", server.log()), "a line about the name")
        bootstrap = Bootstrap((self.lab.address, BOOTSTRAP_PORT), self.lab.address)
        self.addCleanup(bootstrap.close)
        lab.within(20, lambda: server.dig("later.wild.plain.example", "A").data("A") == ["192.0.2.10"], "an answer")


if __name__ == "__main__":
    lab.main()
