#!/usr/bin/env python3
"""glibc's own resolver, which most programs use, in a network namespace whose resolv.conf names dotward."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import lab

INSIDE = "DOTWARD_E2E_NAMESPACE"
ADDRESS = "127.0.0.1"


def enter_namespace():
    """Starts this file again with a network, a resolv.conf and an nsswitch.conf of its own."""
    unshare = ["unshare", "--net", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    probe = subprocess.run([*unshare, "true"], stderr=subprocess.PIPE, text=True, check=False)
    if probe.returncode != 0:
        return f"no namespaces for this user here, and so NO TEST of glibc's resolver: {probe.stderr.strip()}"
    with tempfile.TemporaryDirectory() as folder:
        files = {
            "resolv.conf": f"nameserver {ADDRESS}\noptions timeout:5 attempts:1\n",
            "nsswitch.conf": "hosts: files dns\n",
        }
        mounts = "ip link set lo up\n"
        for name, text in files.items():
            (pathlib.Path(folder) / name).write_text(text, encoding="ascii")
            mounts += f'if [ -e /etc/{name} ]; then mount --bind "{folder}/{name}" /etc/{name}; fi\n'
        if not os.path.exists("/etc/resolv.conf"):
            return "there is no /etc/resolv.conf to stand in for, and so NO TEST of glibc's resolver"
        command = [*unshare, "sh", "-e", "-c", mounts + 'exec "$@"', "sh", sys.executable, *sys.argv]
        sys.exit(subprocess.run(command, env={**os.environ, INSIDE: "1"}, check=False).returncode)


def getent(*arguments):
    done = subprocess.run(["getent", *arguments], stdout=subprocess.PIPE, text=True, timeout=20, check=False)
    return done.returncode, done.stdout


class StubResolverTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        reason = None if os.environ.get(INSIDE) else enter_namespace()
        if reason:
            raise unittest.SkipTest(reason)
        cls.lab = lab.Lab(address=ADDRESS)
        cls.addClassCleanup(cls.lab.close)
        cls.server = cls.lab.serve(cls.lab.config(port=53), port=53)

    def addresses(self, name):
        code, printed = getent("ahosts", name)
        self.assertEqual(code, 0, self.server.log())
        return {line.split()[0] for line in printed.splitlines()}

    def test_both_families_are_found(self):
        self.assertEqual(self.addresses("www.plain.example"), {"192.0.2.7", "2001:db8::7"})

    def test_answers_from_the_cache_are_the_same(self):
        first = self.addresses("www.plain.example")
        seen = len(self.lab.queries_seen())
        self.assertEqual(self.addresses("www.plain.example"), first)
        self.assertEqual(len(self.lab.queries_seen()), seen)

    def test_cname_chain_is_followed(self):
        self.assertEqual(self.addresses("one.plain.example"), {"192.0.2.9"})

    def test_name_that_is_not_there_is_not_found(self):
        code, printed = getent("ahosts", "missing.plain.example")
        self.assertEqual((code, printed), (2, ""))


if __name__ == "__main__":
    lab.main()
