#!/usr/bin/env python3
"""What can be held against every file of ours without understanding it."""

import os
import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOT_OURS = {".git", "build", ".cache", "__pycache__"}
CODE = {".cc", ".h", ".py", ".sh", ".cmake", ""}
TEXT = CODE | {".md", ".txt", ".yaml", ".yml", ".json", ".service"}
COLUMNS = 120
# Written so that this file does not find itself.
LEFT_UNDONE = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
TRACKER = re.compile(r"\b(issue|ticket|session)\s+#?\d", re.IGNORECASE)


def texts():
    for folder, names, files in os.walk(ROOT):
        names[:] = [name for name in names if name not in NOT_OURS]
        for file in files:
            path = pathlib.Path(folder, file)
            relative = path.relative_to(ROOT)
            if path.suffix not in TEXT or relative.parts[:2] in (("tests", "data"), ("fuzz", "corpus")):
                continue
            try:
                yield relative, path.read_text()
            except UnicodeDecodeError:
                continue


def lines(where=lambda path: True):
    for path, text in texts():
        if where(path):
            for number, line in enumerate(text.splitlines(), 1):
                yield f"{path}:{number}", line


class StyleTest(unittest.TestCase):
    maxDiff = None

    def test_nothing_is_left_undone(self):
        self.assertEqual([place for place, line in lines() if LEFT_UNDONE.search(line)], [])

    def test_files_speak_of_the_project_alone(self):
        self.assertEqual([place for place, line in lines() if TRACKER.search(line)], [])

    def test_code_fits_the_columns(self):
        code = lines(lambda path: path.suffix in CODE and path.name != "LICENSE")
        self.assertEqual([place for place, line in code if len(line) > COLUMNS], [])

    def test_no_line_ends_in_space(self):
        code = lines(lambda path: path.suffix in CODE and path.name != "LICENSE")
        self.assertEqual([place for place, line in code if line != line.rstrip()], [])

    def test_files_end_in_one_line_break(self):
        bad = [str(path) for path, text in texts() if text and (not text.endswith("\n") or text.endswith("\n\n"))]
        self.assertEqual(bad, [])

    def test_headers_are_guarded(self):
        bad = [
            str(path)
            for path, text in texts()
            if path.suffix == ".h" and not re.search(r"^(#pragma once|#ifndef DOTWARD_\w+_H_)$", text, re.MULTILINE)
        ]
        self.assertEqual(bad, [])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
