#!/usr/bin/env python3
"""A steady load, and a flood of rubbish, after which the server goes on as before."""

import contextlib
import os
import pathlib
import random
import re
import socket
import struct

import lab


class LoadTest(lab.LabTestCase):
    def test_modest_rate_loses_nothing(self):
        names = "".join(f"n{number}.wild.plain.example A\n" for number in range(300))
        names += "www.signed.example A\nmissing.plain.example A\nmixed.plain.example MX\n"
        printed = lab.run("dnsperf", "-s", self.lab.address, "-p", str(self.server.port), "-d",
                          self.lab.write("names", names), "-l", "3", "-Q", "1000", "-c", "8", "-t", "5")
        self.assertRegex(printed, r"Queries lost:\s+0 \(0\.00%\)")
        self.assertGreater(int(re.search(r"Queries completed:\s+(\d+)", printed).group(1)), 2500)
        codes = dict(re.findall(r"(NOERROR|NXDOMAIN|SERVFAIL|REFUSED) (\d+)", printed))
        self.assertEqual(set(codes), {"NOERROR", "NXDOMAIN"}, printed)

    def test_X8_rubbish_over_udp_changes_nothing(self):
        rubbish = random.Random(8)
        sound = lab.query("www.plain.example", edns=1232)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.connect((self.lab.address, self.server.port))
            udp.setblocking(False)
            for number in range(10_000):
                if number % 2:
                    octets = bytearray(sound)
                    for _ in range(rubbish.randint(1, 6)):
                        octets[rubbish.randrange(len(octets))] = rubbish.randrange(256)
                else:
                    octets = rubbish.randbytes(rubbish.randint(0, 1500))
                with contextlib.suppress(BlockingIOError):
                    udp.send(octets)
                with contextlib.suppress(BlockingIOError):
                    reply = udp.recv(65535)
                    self.assertTrue(reply[2] & 0x80, "a reply that is none")
        self.assertEqual(self.dig("www.plain.example", "A").data("A"), ["192.0.2.7"])

    def test_X8_rubbish_over_tcp_changes_nothing(self):
        rubbish = random.Random(9)
        for number in range(200):
            with socket.create_connection((self.lab.address, self.server.port), 5) as tcp:
                octets = rubbish.randbytes(rubbish.randint(0, 600))
                with contextlib.suppress(OSError):
                    tcp.sendall(struct.pack("!H", len(octets)) + octets if number % 2 else octets)
        self.assertEqual(self.dig("+tcp", "www.plain.example", "A").data("A"), ["192.0.2.7"])

    def test_descriptors_come_back(self):
        folder = pathlib.Path(f"/proc/{self.server.child.pid}/fd")
        self.dig("+tcp", "www.plain.example", "A")
        before = len(os.listdir(folder))
        with contextlib.ExitStack() as streams:
            for _ in range(40):
                streams.enter_context(socket.create_connection((self.lab.address, self.server.port), 5))
            lab.within(5, lambda: len(os.listdir(folder)) >= before + 40, "the connections are there")
        lab.within(5, lambda: len(os.listdir(folder)) <= before, "their descriptors are closed")


if __name__ == "__main__":
    lab.main()
