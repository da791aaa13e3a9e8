#!/usr/bin/env python3
"""Every example of README.md and docs/*.md: commands run, configurations are sound. What cannot run here is named here,
with the reason, so that no example goes unnoticed.

The commands run in namespaces of their own, in which dotward has port 53 and the paths that it is documented with."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import lab

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [lab.ROOT / "README.md", *sorted((lab.ROOT / "docs").glob("*.md"))]
# By what a command begins with.
CANNOT_RUN = {
    "./dev": "builds, and is tested by being used",
    "docker": "./dev docker-test does this",
    "sudo": "changes the machine",
    "printf '[Resolve]": "changes the machine",
    "openssl s_client": "asks a server of the Internet",
    "systemctl": "changes the machine",
    "journalctl": "reads the machine's log",
    "promtool": "is not installed everywhere",
    "logrotate": "changes the machine",
}
INSIDE = "DOTWARD_EXAMPLES_INSIDE"


def blocks(language):
    """(page:line, text) of every fenced block in that language."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            if match.group(1) == language:
                yield f"{page.relative_to(lab.ROOT)}:{text.count(chr(10), 0, match.start()) + 2}", match.group(2)


def commands():
    """(page:line, command): one a line, with the lines that it goes on in."""
    for place, text in blocks("sh"):
        page, line = place.split(":")
        pending, start = "", int(line)
        for number, part in enumerate(text.splitlines(), int(line)):
            start = start if pending else number
            pending += part + "\n"
            if not re.search(r"(\\|\||&&)\s*$", part):
                if pending.strip() and not pending.lstrip().startswith("#"):
                    yield f"{page}:{start}", pending.strip()
                pending = ""


def reason_not_to_run(command):
    return next((reason for start, reason in CANNOT_RUN.items() if command.startswith(start)), None)


class ExtractionTest(unittest.TestCase):
    def test_examples_are_found(self):
        found = [command for _, command in commands()]
        self.assertIn("dotward status", found)
        self.assertTrue(any(command.startswith("openssl s_client") and "base64" in command for command in found))
        self.assertGreater(len([command for command in found if not reason_not_to_run(command)]), 15)

    def test_every_subcommand_of_a_running_server_has_an_example(self):
        text = "\n".join(command for _, command in commands())
        for subcommand in ("status", "stats", "upstreams", "slow", "cache lookup", "cache dump", "cache flush", "why",
                           "query", "reload", "healthcheck"):
            self.assertIn(f"dotward {subcommand}", text)


class ConfigurationTest(unittest.TestCase):
    def test_every_configuration_is_accepted(self):
        with tempfile.TemporaryDirectory() as folder:
            for number, (place, text) in enumerate(blocks("yaml")):
                if text.startswith("scrape_configs:"):
                    continue  # Prometheus's, and read by it in metrics_test.py
                with self.subTest(place):
                    file = pathlib.Path(folder, f"{number}.yaml")
                    file.write_text(text, encoding="utf-8")
                    done = subprocess.run([lab.BINARY, "check", "--config", file], stdout=subprocess.PIPE,
                                          stderr=subprocess.STDOUT, text=True, check=False)
                    self.assertEqual(done.returncode, 0, done.stdout)


def enter_namespaces():
    """Runs this test anew with a network and a file system of its own."""
    unshare = ["unshare", "--mount", "--net", *(["--map-root-user"] if os.geteuid() != 0 else [])]
    if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        raise unittest.SkipTest("this system lets us make no namespaces")
    done = subprocess.run([*unshare, sys.executable, __file__, "ExamplesTest"], env={**os.environ, INSIDE: "1"},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


class ExamplesTest(unittest.TestCase):
    maxDiff = None

    def test_every_command_runs(self):
        if INSIDE not in os.environ:
            code, output = enter_namespaces()
            self.assertEqual(code, 0, output)
            return
        self.prepare()
        for place, command in commands():
            if reason_not_to_run(command):
                continue
            with self.subTest(place, command=command):
                done = subprocess.run(["bash", "-o", "pipefail", "-ec", command], cwd=lab.ROOT, env=self.environment,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, 0, done.stdout)
        self.assertTrue(self.server.running(), self.server.log())

    def prepare(self):
        """dotward at 127.0.0.1, ports 53 and 5300, with an upstream that is called quad9, as the pages have it."""
        lab.run("ip", "link", "set", "lo", "up")
        lab.run("mount", "-t", "tmpfs", "none", "/run")
        self.lab = lab.Lab("127.0.0.2")
        self.addCleanup(self.lab.close)
        etc = self.lab.folder / "etc"
        etc.mkdir()
        (etc / "dotward.yaml").write_text(f"""listen: ["127.0.0.1:53", "127.0.0.1:5300"]
upstreams:
  - name: quad9
    addresses: [{self.lab.address}]
    port: {lab.DOT_PORT}
    auth_name: {lab.AUTH_NAME}
    ca_file: {self.lab.path("ca.pem")}
forward:
  - zone: "."
    upstreams: [quad9]
dnssec: {{ validation: off }}
admin:
  http: "127.0.0.1:8953"
""", encoding="utf-8")
        # A folder of the whole system that is ours for the moment: nobody outside the namespace sees it.
        lab.run("mount", "-t", "tmpfs", "none", "/mnt")
        for path in ("upper", "work"):
            pathlib.Path("/mnt", path).mkdir()
        layers = "lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work"
        lab.run("mount", "-t", "overlay", "overlay", "-o", layers, "/etc")
        pathlib.Path("/etc/dotward").mkdir(exist_ok=True)
        lab.run("mount", "--bind", str(etc), "/etc/dotward")
        (self.lab.folder / "bin").mkdir()
        (self.lab.folder / "bin/dotward").symlink_to(lab.BINARY)
        self.environment = {**os.environ, "PATH": f"{self.lab.folder}/bin:{os.environ['PATH']}"}
        self.server = self.lab.keep(lab.Dotward([lab.BINARY, "run"], self.lab.path("dotward.log"), "127.0.0.1", 53))
        self.server.await_serving()


if __name__ == "__main__":
    unittest.main()
