#!/usr/bin/env python3
"""Holds the includes of src/ and include/ against the table of layers in src/README.md and the fences below it."""

import pathlib
import re
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# The layer that each header in include/dotward belongs to. The two seams stand between layers: who may include them is
# said in the table, by their names.
PUBLIC_HEADERS = {
    "clock.h": "base",
    "task.h": "base",
    "message.h": "dns",
    "response_cache.h": "cache",
    "config.h": "config",
    "query_handler.h": "query_handler.h",
    "upstream.h": "upstream.h",
}
# What the seams themselves are made of.
SEAMS = {"query_handler.h": {"base", "dns"}, "upstream.h": {"base", "dns"}}

# Foreign headers (as a pattern) and the folders, or files, of src that may include them.
FENCES = [
    (r"ldns/", {"dns", "dnssec"}),
    (r"openssl/", {"dnssec/signature_key.cc"}),
    (r"libpsl\.h", {"dns"}),
    (r"gnutls/", {"net"}),
    (r"yaml-cpp/", {"config"}),
    (r"zlib\.h", {"cache"}),
    (r"nlohmann/", {"admin", "app"}),
    (r"httplib\.h", {"admin/http_protocol.cc"}),
    (r"spdlog/", {"base/log.cc"}),
    (r"systemd/", {"admin"}),
    (r"(sys/socket\.h|sys/un\.h|netinet/|netdb\.h|asio/ip/|asio/local/)", {"net", "server", "upstream", "admin"}),
]
# The same for text in general.
WORDS = [(r"\basio::detached\b", {"base/task.cc"})]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def read_table(readme):
    """The table as {folder: set of what it may include}."""
    table = {}
    for line in readme.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        match = re.fullmatch(r"`(\w+)`", cells[0]) if len(cells) == 3 else None
        if match:
            allowed = set()
            for word in cells[2].split(","):
                word = word.strip().strip("`")
                if word == "both seams":
                    allowed |= set(SEAMS)
                elif word.startswith("all"):
                    allowed.add(word)
                elif word not in ("–", "-", ""):
                    allowed.add(word)
            table[match.group(1)] = allowed
    for folder, allowed in table.items():
        if "all" in allowed:
            table[folder] = set(table) | set(SEAMS)
        elif "all but app" in allowed:
            table[folder] = (set(table) | set(SEAMS)) - {"app"}
        unknown = table[folder] - set(table) - set(SEAMS)
        if unknown:
            raise ValueError(f"src/README.md: {folder} may include {sorted(unknown)}, which is no layer")
    return table


def layer_of(included, table):
    """The layer that an include in quotes names, or None where it is not one of ours."""
    parts = included.split("/")
    if parts[0] == "dotward" and len(parts) == 2:
        return PUBLIC_HEADERS.get(parts[1])
    return parts[0] if len(parts) > 1 and parts[0] in table else None


def violations(root):
    """Every breach of the table and the fences, each as FILE:LINE: TEXT."""
    found = []
    table = read_table((root / "src/README.md").read_text())
    if not table:
        return ["src/README.md: has no table of layers"]
    files = sorted(path for top in ("src", "include") for path in (root / top).rglob("*.*")
                   if path.suffix in (".cc", ".h"))
    for path in files:
        name = path.relative_to(root).as_posix()
        if name.startswith("include/"):
            own = PUBLIC_HEADERS.get(path.name) if path.parent.name == "dotward" else None
        else:
            own = path.relative_to(root / "src").parts[0]
        if own not in table and own not in SEAMS:
            found.append(f"{name}: belongs to no layer of src/README.md")
            continue
        allowed = (table[own] if own in table else SEAMS[own]) | {own}
        in_src = name.removeprefix("src/")
        for number, line in enumerate(path.read_text().splitlines(), 1):
            where = f"{name}:{number}"
            for word, places in WORDS:
                if re.search(word, line.split("//")[0]) and not {own, in_src} & places:
                    found.append(f"{where}: {re.search(word, line)[0]} belongs in {', '.join(sorted(places))} alone")
            match = INCLUDE.match(line)
            if not match:
                continue
            quote, included = match.groups()
            for pattern, places in FENCES:
                if re.match(pattern, included) and not {own, in_src} & places:
                    found.append(f"{where}: <{included}> is fenced into {', '.join(sorted(places))}")
            if quote == '"' or included.startswith("dotward/"):
                layer = layer_of(included, table)
                if layer is None:
                    found.append(f"{where}: \"{included}\" names no layer: write it as \"layer/file.h\"")
                elif layer not in allowed:
                    found.append(f"{where}: {own} may not include {layer} (\"{included}\")")
    return found


class LayeringTest(unittest.TestCase):
    maxDiff = None

    def test_includes_follow_the_table(self):
        self.assertEqual(violations(ROOT), [])


class CheckerTest(unittest.TestCase):
    """The checker finds each kind of breach in a tree made for it, and nothing in a sound one."""

    README = (
        "| folder | is responsible for | may include |\n| --- | --- | --- |\n"
        "| `base` | x | – |\n| `dns` | x | base |\n| `net` | x | base |\n"
        "| `upstream` | x | dns, net, base, `upstream.h` |\n| `resolver` | x | dns, base, both seams |\n"
        "| `admin` | x | all but app |\n| `app` | x | all |\n"
    )

    def check(self, **files):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in {"src/README.md": self.README, **files}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            (root / "include").mkdir(exist_ok=True)
            return violations(root)

    def test_sound_tree_passes(self):
        self.assertEqual(
            self.check(**{
                "src/dns/a.h": '#include <ldns/ldns.h>\n#include "base/x.h"\n#include "dotward/clock.h"\n',
                "src/dns/a.cc": '#include "dns/a.h"\n#include "dotward/message.h"\n',
                "src/resolver/r.cc": '#include "dotward/upstream.h"\n#include "dotward/query_handler.h"\n',
                "src/base/task.cc": "asio::co_spawn(x, asio::detached);\n",
                "src/app/main.cc": '#include "admin/dump.h"\n',
                "include/dotward/upstream.h": '#include "dns/a.h"\n',
            }),
            [],
        )

    def assert_found(self, wanted, **files):
        found = self.check(**files)
        self.assertEqual(len(found), 1, found)
        self.assertIn(wanted, found[0])

    def test_upward_include_is_found(self):
        self.assert_found("src/base/a.h:2: base may not include dns", **{"src/base/a.h": '\n#include "dns/a.h"\n'})

    def test_sibling_include_is_found(self):
        self.assert_found("net may not include dns", **{"src/net/a.cc": '#include "dns/a.h"\n'})

    def test_seam_that_is_not_in_the_row_is_found(self):
        self.assert_found("may not include query_handler.h",
                          **{"src/upstream/a.cc": '#include "dotward/query_handler.h"\n'})

    def test_public_header_counts_as_its_layer(self):
        self.assert_found("base may not include dns", **{"src/base/a.cc": '#include "dotward/message.h"\n'})
        self.assert_found("base may not include dns", **{"include/dotward/clock.h": '#include "dns/a.h"\n'})

    def test_angle_brackets_hide_nothing(self):
        self.assert_found("base may not include dns", **{"src/base/a.cc": "#include <dotward/message.h>\n"})

    def test_app_is_above_everything(self):
        self.assert_found("admin may not include app", **{"src/admin/a.cc": '#include "app/b.h"\n'})

    def test_each_fence_holds(self):
        for included in ("ldns/ldns.h", "openssl/evp.h", "libpsl.h", "gnutls/gnutls.h",
                         "yaml-cpp/yaml.h", "nlohmann/json.hpp", "httplib.h", "spdlog/spdlog.h",
                         "systemd/sd-daemon.h", "sys/socket.h", "netinet/in.h", "asio/ip/tcp.hpp"):
            with self.subTest(included):
                self.assert_found("is fenced into", **{"src/resolver/a.cc": f"#include <{included}>\n"})

    def test_detached_coroutine_is_found(self):
        self.assert_found("asio::detached", **{"src/net/a.cc": "asio::co_spawn(x, asio::detached);\n"})

    def test_relative_include_is_found(self):
        self.assert_found("names no layer", **{"src/net/a.cc": '#include "b.h"\n'})

    def test_folder_outside_the_table_is_found(self):
        self.assert_found("belongs to no layer", **{"src/util/a.cc": ""})

    def test_public_header_without_a_layer_is_found(self):
        self.assert_found("belongs to no layer", **{"include/dotward/misc.h": ""})

    def test_readme_without_a_table_is_found(self):
        self.assert_found("no table", **{"src/README.md": "words\n"})

    def test_table_that_names_no_layer_is_refused(self):
        with self.assertRaises(ValueError):
            read_table("| `base` | x | utilities |\n")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
