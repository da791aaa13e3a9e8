#!/usr/bin/env python3
"""Links, addresses and routes that change under a running dotward: service is back by itself, in no time.

dotward lives in a network namespace of its own, and Unbound, its upstream, in another; two veth pairs connect them. The
upstream's address belongs to neither pair, so that routes decide how it is reached."""

import contextlib
import ctypes
import os
import select
import socket
import subprocess
import time
import unittest

import lab

UPSTREAM = "10.88.0.2"
CLONE_NEWNET = 0x40000000
BACK_WITHIN = 2.0  # seconds
NOISE = 0.5  # that a busy machine may add


class Namespace:
    """A network namespace, as long as the process that holds it."""

    def __init__(self, place, name):
        self.holder = lab.Process(["unshare", "--net", "sleep", "infinity"], place.path(f"{name}.log"))
        place.keep(self.holder)
        own = os.readlink("/proc/self/ns/net")
        self._file = f"/proc/{self.holder.child.pid}/ns/net"
        lab.within(10, lambda: os.readlink(self._file) != own, "a namespace of its own")
        self.run("ip", "link", "set", "lo", "up")

    def command(self, *command):
        return ["nsenter", f"--net={self._file}", *command]

    def run(self, *command):
        return lab.run(*self.command(*command))

    def udp_socket(self):
        """A socket that lives in the namespace, whoever uses it."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/self/ns/net", "rb") as own, open(self._file, "rb") as other:
            if libc.setns(other.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            finally:
                libc.setns(own.fileno(), CLONE_NEWNET)


class Client:
    """Asks for a new name each 20 ms and remembers what became of it."""

    def __init__(self, namespace):
        self._udp = namespace.udp_socket()
        self._udp.connect(("127.0.0.1", lab.PORT))
        self._udp.setblocking(False)
        self._count = 0
        self._next = 0.0

    def close(self):
        self._udp.close()

    def ask_for(self, seconds, until_good_since=None):
        """[(name's number, sent at, replied at, RCODE)] of the replies in this time; ends early at the first good reply
        to a query that was sent since `until_good_since`."""
        replies, sent = [], {}
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            if now >= self._next:
                self._count += 1
                self._next = now + 0.02
                sent[self._count & 0xffff] = (self._count, now)
                with contextlib.suppress(OSError):
                    self._udp.send(lab.query(f"n{self._count}.wild.plain.example", query_id=self._count & 0xffff,
                                             edns=1232))
            if select.select([self._udp], [], [], max(0.0, min(end, self._next) - now))[0]:
                with contextlib.suppress(OSError):
                    message = self._udp.recv(65535)
                    number, sent_at = sent.get(int.from_bytes(message[:2], "big"), (0, 0.0))
                    replies.append((number, sent_at, time.monotonic(), lab.rcode(message)))
                    if until_good_since is not None and lab.rcode(message) == 0 and sent_at >= until_good_since:
                        break
        return replies


class NetworkChangeTest(unittest.TestCase):
    def setUp(self):
        probe = subprocess.run(["unshare", "--net", "ip", "link", "add", "one", "type", "veth", "peer", "name", "two"],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if probe.returncode != 0:
            self.skipTest(f"no namespaces with veth for this user here, and so NO TEST of changes: {probe.stdout}")
        self.lab = lab.Lab(resolver=False)
        self.addCleanup(self.lab.close)
        self.near = Namespace(self.lab, "near")
        self.far = Namespace(self.lab, "far")
        for pair in (0, 1):
            self.near.run("ip", "link", "add", f"near{pair}", "type", "veth", "peer", "name", f"far{pair}", "netns",
                          str(self.far.holder.child.pid))
            self.near.run("ip", "address", "add", f"10.77.{pair}.1/24", "dev", f"near{pair}")
            self.far.run("ip", "address", "add", f"10.77.{pair}.2/24", "dev", f"far{pair}")
            self.near.run("ip", "link", "set", f"near{pair}", "up")
            self.far.run("ip", "link", "set", f"far{pair}", "up")
        self.far.run("ip", "address", "add", f"{UPSTREAM}/32", "dev", "lo")
        self.near.run("ip", "route", "add", "default", "via", "10.77.0.2")
        self.start_unbound()

    def start_unbound(self):
        place = self.lab
        config = place.write("far.conf", f"""server:
  interface: {UPSTREAM}@{lab.DOT_PORT}
  access-control: 10.0.0.0/8 allow
  tls-port: {lab.DOT_PORT}
  tls-service-key: "{place.path("dot.key")}"
  tls-service-pem: "{place.path("dot.pem")}"
  username: ""
  chroot: ""
  directory: "{place.folder}"
  pidfile: ""
  use-syslog: no
  module-config: "iterator"
  local-zone: "." redirect
  local-data: ". 300 A 192.0.2.10"
  local-data: ". 300 NS ns.root.example."
remote-control:
  control-enable: no
""")
        unbound = place.keep(lab.Process(self.far.command(lab.program("unbound"), "-d", "-c", config),
                                         place.path("unbound.log")))
        lab.within(10, lambda: "start of service" in unbound.log(), "Unbound serves")

    def start_dotward(self):
        place = self.lab
        config = place.write("dotward.yaml", f"""listen: ["127.0.0.1:{lab.PORT}"]
workers: 2
upstreams:
  - name: far
    addresses: [{UPSTREAM}]
    port: {lab.DOT_PORT}
    auth_name: {lab.AUTH_NAME}
    ca_file: {place.path("ca.pem")}
forward:
  - zone: "."
    upstreams: [far]
limits:
  waiting_per_client: 20000
dnssec: {{ validation: off }}
admin: {{ socket: "{place.path("control.sock")}" }}
""")
        self.server = place.keep(lab.Dotward(self.near.command(lab.BINARY, "run", "--config", config),
                                             place.path("dotward.log"), "127.0.0.1", lab.PORT))
        lab.within(10, lambda: "serving" in self.server.log(), "dotward serves")
        self.client = Client(self.near)
        self.addCleanup(self.client.close)

    def assert_serves(self):
        replies = self.client.ask_for(0.5)
        self.assertGreater(len(replies), 10)
        self.assertEqual({rcode for _, _, _, rcode in replies}, {0}, self.server.log())

    def assert_back(self, what, since):
        """Good answers come again soon after `since`, and then there is nothing but good ones."""
        replies = self.client.ask_for(20, until_good_since=since)
        took = time.monotonic() - since
        print(f"{what}: first good answer after {took * 1000:.0f} ms", flush=True)
        self.assertTrue(replies and replies[-1][3] == 0, "no good answer for 20 s\n" + self.server.log())
        self.assertLess(took, BACK_WITHIN + NOISE, self.server.log())
        self.assertTrue(self.server.running())
        self.assert_serves()

    def test_U6_link_that_goes_down_and_comes_up(self):
        self.start_dotward()
        self.assert_serves()
        self.near.run("ip", "link", "set", "near0", "down")
        replies = self.client.ask_for(3)
        self.assertEqual({rcode for _, sent, _, rcode in replies if sent}, {2})
        self.near.run("ip", "link", "set", "near0", "up")
        self.near.run("ip", "route", "replace", "default", "via", "10.77.0.2")
        self.assert_back("link down for 3 s and up", time.monotonic())

    def test_U6_address_that_changes(self):
        self.start_dotward()
        self.assert_serves()
        since = time.monotonic()
        self.near.run("ip", "address", "add", "10.77.0.9/24", "dev", "near0")
        self.near.run("ip", "address", "delete", "10.77.0.1/24", "dev", "near0")
        self.near.run("ip", "address", "replace", "10.77.0.9/24", "dev", "near0")
        self.near.run("ip", "route", "replace", "default", "via", "10.77.0.2")
        self.assert_back("address changed", since)

    def test_U6_default_route_that_moves(self):
        self.start_dotward()
        self.assert_serves()
        since = time.monotonic()
        # The old way loses everything, and says nothing: no interface of ours goes down.
        self.far.run("iptables", "-w", "-A", "INPUT", "-i", "far0", "-j", "DROP")
        self.far.run("iptables", "-w", "-A", "OUTPUT", "-o", "far0", "-j", "DROP")
        self.near.run("ip", "route", "replace", "default", "via", "10.77.1.2")
        self.assert_back("default route moved", since)

    def test_U6_router_that_forgets_for_a_while(self):
        self.start_dotward()
        self.assert_serves()
        self.far.run("iptables", "-w", "-A", "INPUT", "-p", "tcp", "-j", "DROP")
        self.client.ask_for(4)
        self.far.run("iptables", "-w", "-F", "INPUT")
        self.assert_back("packets dropped for 4 s", time.monotonic())

    def test_U9_start_without_a_network(self):
        for pair in (0, 1):
            self.near.run("ip", "link", "set", f"near{pair}", "down")
        self.start_dotward()
        replies = self.client.ask_for(2)
        self.assertGreater(len(replies), 10)
        self.assertEqual({rcode for _, _, _, rcode in replies}, {2}, self.server.log())
        self.near.run("ip", "link", "set", "near0", "up")
        self.near.run("ip", "route", "replace", "default", "via", "10.77.0.2")
        self.assert_back("network there after the start", time.monotonic())


if __name__ == "__main__":
    lab.main()
