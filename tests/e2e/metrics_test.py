#!/usr/bin/env python3
"""The HTTP endpoint of the real program before real clients: curl's way of asking, promtool, and Prometheus itself."""

import http.client
import json
import re
import signal
import socket
import subprocess
import unittest
import urllib.parse

import lab

HTTP_PORT = 8953
PROMETHEUS_PORT = 9090
SCRAPE_SECONDS = 1


def fetch(address, path, host=None, method="GET", body=None, port=HTTP_PORT):
    """(status, headers, text)."""
    connection = http.client.HTTPConnection(address, port, timeout=10)
    try:
        connection.request(method, path, body=body, headers={"Host": host} if host else {})
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read().decode()
    finally:
        connection.close()


def series_of(text):
    """Prometheus's text as {"name{labels}": number}."""
    return {
        line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if line and not line.startswith("#")
    }


class HttpTestCase(unittest.TestCase):
    """One lab and one dotward with the endpoint on for all the tests of a class."""

    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.server = cls.lab.serve(cls.lab.config(f'admin: {{ http: "{cls.lab.address}:{HTTP_PORT}" }}\n'))

    def fetch(self, path, **options):
        return fetch(self.lab.address, path, **options)


class EndpointTest(HttpTestCase):
    def test_probes_say_that_it_serves(self):
        self.assertEqual(self.fetch("/healthz")[0], 200)
        self.assertEqual(self.fetch("/readyz")[0], 200)

    def test_statistics_agree_in_every_format(self):
        for _ in range(4):
            self.server.dig("agree.wild.plain.example", "A")
        # Every count but those of the clock and of what the server does by itself.
        stats = json.loads(self.fetch("/api/v1/stats")[2])
        metrics = series_of(self.fetch("/metrics")[2])
        dumped = json.loads(re.search(r'\{"schema":1.*\}', self.server.dump()).group(0))
        self.assertEqual(stats["schema"], 1)
        self.assertGreaterEqual(stats["queries"]["hits"], 3)
        for group in ("queries", "types", "replies", "durations", "limited"):
            self.assertEqual(dumped[group], stats[group], group)
        for end in ("hits", "stale", "forwarded", "local", "refused", "dropped", "malformed"):
            self.assertEqual(metrics[f'dotward_query_ends_total{{end="{end}"}}'], stats["queries"][end], end)
        self.assertEqual(metrics["dotward_queries_waiting"], stats["queries"]["waiting"])
        self.assertEqual(metrics['dotward_queries_total{transport="udp",type="A"}'], stats["types"]["udp"]["A"])
        self.assertEqual(metrics["dotward_cache_entries"], stats["cache"]["entries"])
        received = sum(stats["queries"][transport] for transport in ("udp", "tcp", "tls"))
        ended = sum(count for name, count in stats["queries"].items() if name not in ("udp", "tcp", "tls"))
        self.assertEqual(received, ended)

    def test_promtool_finds_nothing_to_say(self):
        _, headers, text = self.fetch("/metrics")
        self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        done = subprocess.run([lab.program("promtool"), "check", "metrics"], input=text, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=30, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_page_is_whole_and_loads_nothing_from_elsewhere(self):
        status, headers, page = self.fetch("/")
        self.assertEqual(status, 200)
        nonce = re.search(r"script-src 'nonce-([\w-]+=*)'", headers["Content-Security-Policy"]).group(1)
        self.assertIn(f'<script nonce="{nonce}">', page)
        self.assertNotRegex(page, r"https?://")
        self.assertTrue(page.rstrip().endswith("</html>"))

    def test_X16_a_page_of_another_host_reads_nothing(self):
        for host in ("rebound.example", f"rebound.example:{HTTP_PORT}", "192.0.2.1"):
            for path in ("/metrics", "/api/v1/stats", "/", "/healthz"):
                self.assertEqual(self.fetch(path, host=host)[0], 421, (host, path))
        for host in ("localhost", f"127.0.0.1:{HTTP_PORT}", f"{self.lab.address}:{HTTP_PORT}"):
            self.assertEqual(self.fetch("/metrics", host=host)[0], 200, host)

    def test_X16_nothing_can_be_changed(self):
        before = json.loads(self.fetch("/api/v1/stats")[2])
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            for path in ("/", "/metrics", "/api/v1/stats", "/healthz"):
                self.assertEqual(self.fetch(path, method=method, body=b"x" * 1000)[0], 405, (method, path))
        after = json.loads(self.fetch("/api/v1/stats")[2])
        self.assertEqual(before["queries"], after["queries"])

    def test_X16_silent_and_slow_clients_cost_nobody_anything(self):
        silent = []
        self.addCleanup(lambda: [client.close() for client in silent])
        for number in range(500):
            client = socket.create_connection((self.lab.address, HTTP_PORT), timeout=10)
            silent.append(client)
            if number % 2:
                client.send(b"GET /metrics HTTP/1.1\r\nX: ")
        for _ in range(5):
            self.assertEqual(self.fetch("/metrics")[0], 200)
        self.assertEqual(self.server.dig("slow.wild.plain.example", "A").status, "NOERROR")

    def test_upstream_by_name_is_the_only_label_of_a_server(self):
        self.server.dig("label.wild.plain.example", "A")
        names = set(re.findall(r'upstream="([^"]*)"', self.fetch("/metrics")[2]))
        self.assertEqual(names, {"lab"})
        self.assertNotIn("label", self.fetch("/metrics")[2].replace("labels", ""))


class LifeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab()
        cls.addClassCleanup(cls.lab.close)

    def config(self, **options):
        return self.lab.config(f'admin: {{ http: "{self.lab.address}:{HTTP_PORT}" }}\n', **options)

    def test_off_unless_asked_for(self):
        server = self.lab.serve()
        with self.assertRaises(OSError):
            fetch(self.lab.address, "/healthz")
        server.stop()

    def test_an_upstream_that_is_down_fails_no_probe(self):
        server = self.lab.serve(self.config(dot_port=9))
        self.assertEqual(server.dig("down.wild.plain.example", "A").status, "SERVFAIL")
        self.assertEqual(fetch(self.lab.address, "/healthz")[0], 200)
        self.assertEqual(fetch(self.lab.address, "/readyz")[0], 200)
        metrics = series_of(fetch(self.lab.address, "/metrics")[2])
        self.assertEqual(metrics['dotward_upstream_servers{upstream="lab",state="failing"}'], 1)
        self.assertGreater(metrics['dotward_upstream_connect_failures_total{upstream="lab"}'], 0)
        server.stop()

    def test_a_server_that_stops_is_alive_and_not_ready(self):
        relay = self.lab.relay()
        self.addCleanup(relay.close)
        server = self.lab.serve(self.config(dot_port=lab.RELAY_PORT))
        self.assertEqual(server.dig("first.wild.plain.example", "A").status, "NOERROR")
        relay.hold()
        query = lab.query("last.wild.plain.example")
        with lab.Flight(self.lab.address, server.port, [query]) as flight:
            lab.within(5, lambda: relay.held_octets > 0, "the query is on its way")
            server.signal(signal.SIGTERM)
            lab.within(2, lambda: fetch(self.lab.address, "/readyz")[0] == 503, "not ready any more")
            self.assertEqual(fetch(self.lab.address, "/healthz")[0], 200)
            self.assertEqual(fetch(self.lab.address, "/metrics")[0], 200)
            relay.release()
            self.assertEqual(len(flight.replies(5)), 1)
        self.assertEqual(server.wait(), 0, server.log())

    def test_an_address_in_use_is_exit_code_2_and_is_named(self):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((self.lab.address, HTTP_PORT))
            taken.listen()
            server = self.lab.start(self.config())
            self.assertEqual(server.wait(), 2, server.log())
        self.assertIn(f"{self.lab.address}:{HTTP_PORT}", server.log())
        self.assertIn("ss -ltnp", server.log())


class PrometheusTest(HttpTestCase):
    """Debian's Prometheus scrapes it, and answers a query for each metric."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        config = cls.lab.write(
            "prometheus.yml",
            f"""global: {{ scrape_interval: {SCRAPE_SECONDS}s }}
scrape_configs:
  - job_name: dotward
    static_configs: [{{ targets: ["{cls.lab.address}:{HTTP_PORT}"] }}]
""",
        )
        command = [lab.program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={cls.lab.path('tsdb')}",
                   f"--web.listen-address={cls.lab.address}:{PROMETHEUS_PORT}"]
        cls.prometheus = cls.lab.keep(lab.Process(command, cls.lab.path("prometheus.log")))

    def ask(self, expression):
        path = "/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            status, _, text = fetch(self.lab.address, path, port=PROMETHEUS_PORT)
        except OSError:  # it is starting
            return []
        return json.loads(text)["data"]["result"] if status == 200 else []

    def test_it_answers_a_query_for_each_metric(self):
        for transport in ("+notcp", "+tcp"):
            self.server.dig("scraped.wild.plain.example", "A", transport)
        lab.within(60, lambda: self.ask('up{job="dotward"} == 1'), "it is scraped\n" + self.prometheus.log())
        lab.within(30, lambda: float(self.ask('dotward_queries_total{transport="tcp",type="A"}')[0]["value"][1]) == 1,
                   "the queries are there")
        text = self.fetch("/metrics")[2]
        kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
        self.assertGreater(len(kinds), 50)
        for name, kind in kinds.items():
            with self.subTest(name):
                for suffix in ("_bucket", "_sum", "_count") if kind == "histogram" else ("",):
                    self.assertTrue(self.ask(name + suffix), name + suffix)
        self.assertEqual(self.ask("sum(dotward_queries_total) - sum(dotward_query_ends_total)")[0]["value"][1], "0")
        self.assertTrue(self.ask("histogram_quantile(0.9, sum by (le) (dotward_upstream_duration_seconds_bucket))"))


if __name__ == "__main__":
    lab.main()
