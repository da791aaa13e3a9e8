#!/usr/bin/env python3
"""Every promise of docs/behaviour.md has a test that carries its id, such as TEST(PromiseQ1, ...) or test_U4_...."""

import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CPP_TEST = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.MULTILINE)
PYTHON_TEST = re.compile(r"^\s+def (test_\w+)\(", re.MULTILINE)
ID = re.compile(r"(?:^|_|Promise|And|(?<=\d))([A-Z]\d{1,2})(?!\d)")
ROW = re.compile(r"^\| ([A-Z]\d{1,2}) \|", re.MULTILINE)


def ids_of(name):
    """The ids in a test's name: PromiseQ1 → {Q1}, S1_TruncatedReplyKeepsOpt → {S1}."""
    return set(ID.findall(name))


def tested(folder):
    """The ids that the tests below `folder` carry."""
    found = set()
    for path in folder.rglob("*_test.cc"):
        for suite, test in CPP_TEST.findall(path.read_text()):
            found |= ids_of(suite) | ids_of(test)
    for path in folder.rglob("*_test.py"):
        for test in PYTHON_TEST.findall(path.read_text()):
            found |= ids_of(test)
    return found


class PromisesTest(unittest.TestCase):
    def test_every_promise_has_a_test(self):
        promised = ROW.findall((ROOT / "docs/behaviour.md").read_text())
        self.assertTrue(promised, "docs/behaviour.md has no rows")
        self.assertEqual(len(promised), len(set(promised)), "docs/behaviour.md has an id twice")
        have = tested(ROOT / "tests")
        self.assertEqual([promise for promise in promised if promise not in have], [], "promises without a test")


class IdTest(unittest.TestCase):
    def test_ids_are_found_in_names(self):
        self.assertEqual(ids_of("PromiseQ1"), {"Q1"})
        self.assertEqual(ids_of("PromiseQ10"), {"Q10"})
        self.assertEqual(ids_of("PromiseC9AndC11"), {"C9", "C11"})
        self.assertEqual(ids_of("S1_TruncatedReplyKeepsOpt"), {"S1"})
        self.assertEqual(ids_of("test_U4_restart_loses_nothing"), {"U4"})
        self.assertEqual(ids_of("Rfc2308Section5"), set())
        self.assertEqual(ids_of("AgesEachRecordSeparately"), set())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
