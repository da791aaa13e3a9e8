#!/usr/bin/env python3
"""Holds docs/dotward.schema.json, by a validator that others wrote, against what `dotward check` says of the same."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ["DOTWARD_BINARY"]

# What both refuse, one fault each.
REFUSED = [
    "cach: { size: 1MiB }",
    "cache: { sizes: 1MiB }",
    "cache: { size: 64MB }",
    "cache: { size: [1MiB] }",
    "cache: { max_ttl: 5 }",
    "cache: { max_ttl: 1w }",
    "cache: { prefetch: perhaps }",
    "cache: 64MiB",
    "workers: 0",
    "workers: 257",
    "workers: many",
    "workers: 1.5",
    "listen: []",
    "listen: 127.0.0.1",
    "listen: ['127.0.0.1 53']",
    "access: { refuse_with: reject }",
    "access: { allow: 10.0.0.0/8 }",
    "upstreams: []",
    "upstreams: { name: a }",
    "upstreams: [{ name: a, auth_name: a.example }]",
    "upstreams: [{ addresses: [192.0.2.1], auth_name: a.example }]",
    "upstreams: [{ name: a b, addresses: [192.0.2.1], auth_name: a.example }]",
    "upstreams: [{ name: a, addresses: [], auth_name: a.example }]",
    "upstreams: [{ name: a, addresses: [192.0.2.1], auth_name: a.example, port: 0 }]",
    "upstreams: [{ name: a, addresses: [192.0.2.1], auth_name: a.example, port: 65536 }]",
    "upstreams: [{ name: a, addresses: [192.0.2.1], auth_name: a.example, protocol: https }]",
    "upstreams: [{ name: a, addresses: [192.0.2.1], auth_name: a.example, pins: [abc] }]",
    "upstreams: [{ name: a, addresses: [192.0.2.1], auth_name: a.example, weight: 1 }]",
    "forward: [{ zone: . }]",
    "forward: [{ zone: ., upstreams: [quad9], policy: fastest }]",
    "forward: [{ zone: ., upstreams: [quad9], hedge: maybe }]",
    "query: { udp_payload_size: 511 }",
    "dnssec: { validation: maybe }",
    "limits: { client_prefix: { ipv4: 33 } }",
    "limits: { tcp_idle: 30 }",
    "local: { hosts_files: [/etc/hosts] }",
    "log: { level: trace }",
    "log: { queries: { sample: 1.5 } }",
    "- a list",
]

# What both accept, beside every file in conf.
ACCEPTED = [
    "",
    "cache:\nlog:",
    "workers: auto",
    "cache: { size: 1048576 }",
    "dnssec: { validation: off, trust_upstream_ad: no }",
    "log: { level: \"${DOTWARD_NO_SUCH_VARIABLE:-info}\" }",
    "workers: ${DOTWARD_NO_SUCH_VARIABLE:-2}",
    "upstreams: [{ name: 1.5, addresses: ['2001:db8::1', dns.example], auth_name: a.example }]",
    "upstreams: [{ name: a, addresses: [192.0.2.1], protocol: udp }]",
    "log: { queries: { sample: 0.25 } }",
    "listen: [0.0.0.0, '[::]:53']",
    "forward: [{ zone: ., upstreams: [quad9] }, { zone: Corp.example, upstreams: [google] }]",
]


def check(text):
    """What `dotward check` says of a file with that text: None, or its errors."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "dotward.yaml"
        path.write_text(text)
        done = subprocess.run([BINARY, "check", "--config", path], capture_output=True, text=True, check=False)
        return None if done.returncode == 0 else done.stderr


class JsonSchemaTest(unittest.TestCase):
    def setUp(self):
        schema = json.loads((ROOT / "docs/dotward.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        self.validator = jsonschema.Draft202012Validator(schema)

    def errors_of(self, text):
        return [error.message for error in self.validator.iter_errors(yaml.safe_load(text))]

    def test_every_shipped_file_is_accepted(self):
        files = sorted((ROOT / "conf").rglob("*.yaml"))
        self.assertGreater(len(files), 5)
        for path in files:
            with self.subTest(path.name):
                self.assertEqual(self.errors_of(path.read_text()), [])

    def test_what_config_prints_is_accepted(self):
        printed = subprocess.run([BINARY, "config", "--config", ROOT / "conf/dotward.yaml"], capture_output=True,
                                 text=True, check=True).stdout
        self.assertEqual(self.errors_of(printed), [])

    def test_what_the_loader_accepts_is_accepted(self):
        for text in ACCEPTED:
            with self.subTest(text):
                self.assertIsNone(check(text))
                self.assertEqual(self.errors_of(text), [])

    def test_what_the_loader_refuses_is_refused(self):
        for text in REFUSED:
            with self.subTest(text):
                self.assertIsNotNone(check(text))
                self.assertNotEqual(self.errors_of(text), [])


if __name__ == "__main__":
    unittest.main()
