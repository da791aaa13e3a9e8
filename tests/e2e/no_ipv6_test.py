#!/usr/bin/env python3
"""A machine that has IPv6 switched off: the listeners that it can have are served, and the others are said."""

import pathlib
import subprocess
import tempfile
import unittest

import lab

SWITCH_OFF = "ip link set lo up; echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; "


def start(folder, *listen):
    """dotward in a network namespace of its own without IPv6."""
    log = pathlib.Path(folder) / "log"
    arguments = [argument for address in listen for argument in ("--listen", address)]
    command = ["unshare", "--net", "sh", "-e", "-c", SWITCH_OFF + 'exec "$@"', "sh", lab.BINARY, "run", *arguments,
               "--upstream", "tls://127.0.0.1:9#dns.example"]
    return lab.Process(command, log)


class NoIpv6Test(unittest.TestCase):
    def setUp(self):
        probe = subprocess.run(["unshare", "--net", "true"], stderr=subprocess.PIPE, text=True, check=False)
        if probe.returncode != 0:
            self.skipTest(f"no namespaces for this user here, and so NO TEST without IPv6: {probe.stderr.strip()}")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def test_the_ipv4_listener_is_served_and_the_ipv6_one_is_said(self):
        server = start(self.folder, "127.0.0.1:53", "[::1]:53")
        self.addCleanup(server.stop)
        lab.within(10, lambda: "serving" in server.log(), "dotward serves")
        self.assertIn("this machine has no IPv6", server.log())
        self.assertIn("listen=[::1]:53", server.log())
        self.assertIn("listen=127.0.0.1:53 ", server.log())

    def test_with_ipv6_listeners_alone_it_does_not_start(self):
        server = start(self.folder, "[::1]:53")
        self.assertEqual(server.wait(), 2, server.log())


if __name__ == "__main__":
    lab.main()
