#!/usr/bin/env python3
"""Holds the events that the sources write to the log, and their fields, against the table of docs/logging.md."""

import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Calls that write an event; of the last two, it is the first argument.
CALL = re.compile(r"\b(?:Log|LogBlock|Render|ReportTrouble)\(|(?<![\w.:])Failed\((?=\")")
LITERALS = r'((?:"(?:[^"\\]|\\.)*"\s*)+)'
# An event in a table of its own, as that of the limits.
IN_TABLE = re.compile(r"\{LogLevel::\w+,\s*" + LITERALS + r"\}")
FIELD = re.compile(r'\{"(\w+)",')
# Where events pass through a variable: the literal stands in the caller.
PASSED_ON = {"src/base/log.h", "src/base/log.cc", "src/upstream/upstream_server.cc", "src/upstream/upstream_server.h",
             "src/upstream/datagram_upstream.cc"}
TROUBLE_FIELDS = {"upstream", "address", "error"}
LIMIT_FIELDS = {"client", "times", "clients"}
ROW = re.compile(r"^\| `((?:[^`])+)` \| ([a-z, ]+) \| ([^|]*) \|", re.MULTILINE)


def arguments(text, start):
    """The text between the parenthesis that opens before `start` and the one that closes it."""
    depth, place, quoted = 1, start, False
    while depth:
        character = text[place]
        if quoted:
            place += character == "\\"
            quoted = character != '"'
        elif character == '"':
            quoted = True
        else:
            depth += (character == "(") - (character == ")")
        place += 1
    return text[start : place - 1]


def joined(literals):
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literals)).replace('\\"', '"')


def without_comments(text):
    return re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE)


def events_of(name, text):
    """Every (event, fields) that a source file writes, and every call whose event is no literal."""
    found, unclear = {}, []
    text = without_comments(text)
    for call in CALL.finditer(text):
        inner = arguments(text, call.end())
        trouble = call[0] in ("ReportTrouble(", "Failed(")
        event = re.match(r"\s*" + LITERALS if trouble else r'[^,"]*,\s*' + LITERALS, inner)
        if event is None:
            if name not in PASSED_ON:
                unclear.append(f"{name}: {call[0]}{inner[:60]}")
            continue
        fields = TROUBLE_FIELDS if trouble else set(FIELD.findall(inner))
        if call[0].startswith("LogBlock"):
            fields = {"text"}
        found.setdefault(joined(event[1]), set()).update(fields)
    for event in IN_TABLE.finditer(text):
        found[joined(event[1])] = LIMIT_FIELDS
    return found, unclear


def written():
    found, unclear = {}, []
    for path in sorted((ROOT / "src").rglob("*.*")):
        name = path.relative_to(ROOT).as_posix()
        if path.suffix not in (".cc", ".h"):
            continue
        events, without_text = events_of(name, path.read_text())
        unclear += without_text
        for event, fields in events.items():
            found.setdefault(event, set()).update(fields)
    return found, unclear


def documented():
    section = (ROOT / "docs/logging.md").read_text().split("\n## Events\n")[1]
    return {event: set(re.findall(r"`(\w+)`", fields)) for event, _, fields in ROW.findall(section.split("\n## ")[0])}


class LogEventsTest(unittest.TestCase):
    maxDiff = None

    def test_every_event_is_documented_and_every_documented_one_written(self):
        found, unclear = written()
        self.assertEqual(unclear, [], "events that are no literals")
        self.assertEqual({event: sorted(fields) for event, fields in found.items()},
                         {event: sorted(fields) for event, fields in documented().items()})


class CheckerTest(unittest.TestCase):
    def test_events_and_fields_are_found(self):
        text = 'Log(bad ? LogLevel::kInfo : LogLevel::kDebug, "one "\n  "event",\n {{"a", f(")")}, {"b", 1}});\n'
        self.assertEqual(events_of("src/a.cc", text), ({"one event": {"a", "b"}}, []))

    def test_trouble_and_tables_are_found(self):
        text = 'ReportTrouble("trouble", error, now);\n{LogLevel::kInfo, "limit"},\n'
        self.assertEqual(events_of("src/a.cc", text), ({"trouble": TROUBLE_FIELDS, "limit": LIMIT_FIELDS}, []))

    def test_event_that_is_no_literal_is_found(self):
        self.assertEqual(len(events_of("src/a.cc", "Log(LogLevel::kInfo, text, {});")[1]), 1)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
