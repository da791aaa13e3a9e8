#!/usr/bin/env python3
"""A forwarding loop: the upstream sends what it is asked back to dotward. It ends by itself, and is named."""

import re
import time
import unittest

import lab

HOPS_MAX = 2
DEADLINE = "query:\n  deadline: 2s\n"


class LoopCase(unittest.TestCase):
    def start(self):
        place = lab.Lab(resolver=False)
        self.addCleanup(place.close)
        self.start_looping_unbound(place)
        return place

    def start_looping_unbound(self, place):
        config = place.write("looping.conf", f"""server:
  interface: {place.address}@{lab.DOT_PORT}
  outgoing-interface: {place.address}
  tls-port: {lab.DOT_PORT}
  tls-service-key: "{place.path("dot.key")}"
  tls-service-pem: "{place.path("dot.pem")}"
  username: ""
  chroot: ""
  directory: "{place.folder}"
  pidfile: ""
  use-syslog: no
  log-queries: yes
  module-config: "iterator"
  do-not-query-localhost: no
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: {place.address}@{lab.PORT}
""")
        self.unbound = place.keep(lab.Process([lab.program("unbound"), "-d", "-c", config], place.path("unbound.log")))
        lab.within(10, lambda: "start of service" in self.unbound.log(), "Unbound serves")

    def await_loop_found(self, server):
        lab.within(10, lambda: re.search("(?i)loop", server.log()), "the loop is found\n" + server.log())

    def times_asked(self, name):
        return len(re.findall(rf" {re.escape(name)}\. A IN", self.unbound.log()))

    def assert_loop_is_named(self, server, reply):
        self.assertEqual(reply.status, "SERVFAIL")
        self.assertRegex(" ".join(text for _, text in reply.ede), r"(?i)loop.*\blab\b|\blab\b.*loop", reply.text)
        self.assertRegex(server.log(), r"(?i)loop.*upstream=lab|upstream=lab.*loop")


class LoopTest(LoopCase):
    def test_X15_loop_from_the_start_is_named_and_ends(self):
        place = self.start()
        server = place.serve(place.config())
        self.await_loop_found(server)
        start = time.monotonic()
        reply = server.dig("www.plain.example", "A")
        took = time.monotonic() - start
        asked = self.times_asked("www.plain.example")
        print(f"looped query: {took * 1000:.0f} ms, {asked} times at the upstream", flush=True)
        self.assert_loop_is_named(server, reply)
        self.assertLess(took, 2.5)
        self.assertLessEqual(asked, HOPS_MAX)

    def test_X15_loop_that_begins_later_is_found_by_the_failures(self):
        place = lab.Lab()
        self.addCleanup(place.close)
        server = place.serve(place.config(DEADLINE))
        self.assertEqual(server.dig("before.wild.plain.example", "A").status, "NOERROR")
        place.unbound.stop()
        self.start_looping_unbound(place)
        start = time.monotonic()
        batch = 0

        def found():
            nonlocal batch
            batch += 1
            lab.ask_all(place.address, server.port,
                        [lab.query(f"n{batch}-{number}.plain.example", query_id=number) for number in range(10)], 2.5)
            return re.search("(?i)loop", server.log())

        lab.within(30, found, "the loop is found\n" + server.log())
        print(f"loop that began later: found after {time.monotonic() - start:.1f} s", flush=True)
        self.assert_loop_is_named(server, server.dig("www.plain.example", "A"))

    def test_X15_no_loop_is_seen_where_there_is_none(self):
        with lab.Lab() as place:
            server = place.serve(place.config())
            for number in range(20):
                self.assertEqual(server.dig(f"n{number}.wild.plain.example", "A").status, "NOERROR")
            self.assertNotRegex(server.log(), "(?i)loop")


class SlowLoopTest(LoopCase):
    """An upstream that was found looping is left alone for a minute."""

    def test_X15_a_loop_that_is_mended_serves_again(self):
        place = self.start()
        server = place.serve(place.config())
        self.await_loop_found(server)
        self.unbound.stop()
        place.start_unbound("mended")
        start = time.monotonic()
        count = 0

        def answered():
            nonlocal count
            count += 1
            return server.dig(f"n{count}.wild.plain.example", "A").status == "NOERROR"

        lab.within(75, answered, "an answer\n" + server.log())
        print(f"mended loop: answers {time.monotonic() - start:.1f} s after the mended upstream", flush=True)


if __name__ == "__main__":
    lab.main()
