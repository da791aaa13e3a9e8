#!/usr/bin/env python3
"""Upstreams that are away, impostors, or cut their connections."""

import time
import unittest

import lab

DEADLINE = "query:\n  deadline: 2s\n"


class UnreachableTest(unittest.TestCase):
    def test_U9_starts_without_its_upstream_and_answers_once_it_comes(self):
        with lab.Lab(resolver=False) as place:
            server = place.serve(place.config(DEADLINE))
            start = time.monotonic()
            reply = server.dig("www.plain.example", "A")
            self.assertLess(time.monotonic() - start, 2.5)
            self.assertEqual(reply.status, "SERVFAIL")
            self.assertIn([code for code, _ in reply.ede], ([22], [23], [22, 23], [23, 22]))

            place.start_unbound()
            lab.within(6, lambda: server.dig("www.plain.example", "A").data("A") == ["192.0.2.7"], "an answer")

    def test_U4_upstream_that_restarts_is_found_again(self):
        with lab.Lab() as place:
            server = place.serve(place.config(DEADLINE))
            self.assertEqual(server.dig("before.wild.plain.example", "A").status, "NOERROR")
            place.unbound.stop()
            self.assertEqual(server.dig("during.wild.plain.example", "A").status, "SERVFAIL")
            # What the cache holds needs no upstream.
            self.assertEqual(server.dig("before.wild.plain.example", "A").data("A"), ["192.0.2.10"])
            place.start_unbound("unbound-2")
            lab.within(6, lambda: server.dig("after.wild.plain.example", "A").data("A") == ["192.0.2.10"], "an answer")

    def test_U4_connection_that_closes_with_queries_in_flight_loses_none(self):
        with lab.Lab() as place:
            relay = place.relay()
            server = place.serve(place.config(dot_port=lab.RELAY_PORT))
            self.assertEqual(server.dig("first.wild.plain.example", "A").status, "NOERROR")
            relay.hold()
            queries = [lab.query(f"q{number}.wild.plain.example", query_id=number) for number in range(50)]
            with lab.Flight(place.address, server.port, queries) as flight:
                lab.within(5, lambda: relay.held_octets > 0, "the queries are on their way")
                connections = relay.connections
                relay.cut()
                relay.release()
                replies = flight.replies(10)
            self.assertEqual((len(replies), {lab.rcode(reply) for reply in replies.values()}), (50, {0}))
            self.assertEqual(relay.connections, connections + 1)


class IdentityTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab()
        cls.addClassCleanup(cls.lab.close)

    def assert_refuses(self, server, said):
        reply = server.dig("secret.wild.plain.example", "A")
        self.assertEqual((reply.status, reply.answer), ("SERVFAIL", []))
        self.assertTrue({code for code, _ in reply.ede} & {22, 23}, reply.text)
        self.assertRegex(server.log(), said)
        self.assertEqual([line for line in self.lab.queries_seen() if "secret" in line], [])

    def test_U1_wrong_name_in_the_certificate(self):
        server = self.lab.serve(self.lab.config(DEADLINE, auth_name="other.lab.example"))
        self.assert_refuses(server, r"other\.lab\.example")
        server.stop()

    def test_U1_unknown_authority(self):
        config = self.lab.config(DEADLINE)
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        lab.run("openssl", "req", "-x509", *key, "-days", "2", "-subj", "/CN=stranger", "-keyout",
                self.lab.path("stranger.key"), "-out", self.lab.path("stranger.pem"))
        with open(config, encoding="utf-8") as file:
            text = file.read().replace(self.lab.path("ca.pem"), self.lab.path("stranger.pem"))
        server = self.lab.serve(self.lab.write("stranger.yaml", text))
        self.assert_refuses(server, r"(?i)certificate|issuer|authority|\bCA\b")
        server.stop()


if __name__ == "__main__":
    lab.main()
