#include <array>
#include <map>

#include "admin/metrics.h"

namespace dotward {
namespace {

using Samples = std::vector<MetricSample>;
using Snapshot = StatisticsSnapshot;
using Upstream = UpstreamSnapshot;
using Cache = ResponseCache::Statistics;

constexpr auto kCounter = MetricKind::kCounter;
constexpr auto kGauge = MetricKind::kGauge;
constexpr auto kHistogram = MetricKind::kHistogram;

MetricSample Sample(std::array<std::string_view, 2> labels, uint64_t value) {
  return {.labels = labels, .value = static_cast<double>(value)};
}

// --- the process ---

Samples BuildInfo(const Snapshot& /*snapshot*/) { return {Sample({DOTWARD_VERSION}, 1)}; }

Samples StartTime(const Snapshot& snapshot) {
  return {{.value = std::chrono::duration<double>(snapshot.started_at.time_since_epoch()).count()}};
}

// --- queries ---

Samples Queries(const Snapshot& snapshot) {
  Samples samples;
  for (size_t i = 0; i < kTransports.size(); ++i) {
    for (size_t type = 0; type < kTypePlaces; ++type) {
      samples.push_back(Sample({kTransports[i], NameOfTypePlace(type)}, snapshot.queries.queries[i][type]));
    }
  }
  return samples;
}

Samples QueryEnds(const Snapshot& snapshot) {
  Samples samples;
  for (size_t i = 0; i < kQueryEnds.size(); ++i) {
    samples.push_back(Sample({kQueryEnds[i]}, snapshot.queries.ends[i]));
  }
  return samples;
}

Samples QueriesWaiting(const Snapshot& snapshot) { return {Sample({}, snapshot.queries.waiting)}; }

Samples Replies(const Snapshot& snapshot) {
  Samples samples;
  for (size_t i = 0; i < kRcodePlaces; ++i)
    samples.push_back(Sample({NameOfRcodePlace(i)}, snapshot.queries.replies[i]));
  return samples;
}

Samples Truncated(const Snapshot& snapshot) { return {Sample({}, snapshot.queries.replies_truncated)}; }

Samples QueryDurations(const Snapshot& snapshot) {
  Samples samples;
  for (size_t i = 0; i < kAnswerSources.size(); ++i) {
    samples.push_back({.labels = {kAnswerSources[i]}, .durations = snapshot.queries.durations[i]});
  }
  return samples;
}

Samples ByName(const NamedCounts& counts) {
  Samples samples;
  for (const NamedCount& count : counts) samples.push_back(Sample({count.name}, count.value));
  return samples;
}

Samples LimitedBy(const Snapshot& snapshot) { return ByName(Limited(snapshot)); }
Samples QueryLogLines(const Snapshot& snapshot) { return ByName(snapshot.query_log); }

// --- the cache ---

template <uint64_t Cache::*Field>
Samples OfCache(const Snapshot& snapshot) {
  return {Sample({}, snapshot.cache.*Field)};
}

Samples SnapshotEntries(const Snapshot& snapshot) { return {Sample({}, snapshot.cache_file.entries)}; }
Samples SnapshotOctets(const Snapshot& snapshot) { return {Sample({}, snapshot.cache_file.octets)}; }
Samples SnapshotFailures(const Snapshot& snapshot) { return {Sample({}, snapshot.cache_file.failures)}; }
Samples SnapshotTime(const Snapshot& snapshot) {
  const auto since_1970 = std::chrono::floor<std::chrono::seconds>(snapshot.cache_file.written_at.time_since_epoch());
  return {Sample({}, static_cast<uint64_t>(since_1970.count()))};
}

Samples CacheSize(const Snapshot& snapshot) { return {Sample({}, snapshot.cache_octets_max)}; }
Samples CacheStale(const Snapshot& snapshot) { return {Sample({}, snapshot.queries.of(QueryEnd::kStale))}; }
Samples CachePrefetches(const Snapshot& snapshot) { return {Sample({}, snapshot.prefetches)}; }
Samples PrefetchesRefused(const Snapshot& snapshot) { return {Sample({}, snapshot.prefetches_refused)}; }

// --- exchanges ---

Samples ExchangesStarted(const Snapshot& snapshot) { return {Sample({}, CountOf(snapshot.exchanges, "started"))}; }
Samples ExchangesInFlight(const Snapshot& snapshot) { return {Sample({}, CountOf(snapshot.exchanges, "in_flight"))}; }
Samples AskedAgain(const Snapshot& snapshot) { return {Sample({}, CountOf(snapshot.exchanges, "asked_again"))}; }
Samples Joined(const Snapshot& snapshot) { return {Sample({}, CountOf(snapshot.exchanges, "joined"))}; }
Samples AnsweredLate(const Snapshot& snapshot) { return {Sample({}, CountOf(snapshot.exchanges, "answered_late"))}; }
Samples WithoutDnssec(const Snapshot& snapshot) { return {Sample({}, CountOf(snapshot.exchanges, "without_dnssec"))}; }
Samples DeniedByCut(const Snapshot& snapshot) { return {Sample({}, CountOf(snapshot.exchanges, "denied_by_cut"))}; }
Samples FailuresRemembered(const Snapshot& snapshot) {
  return {Sample({}, CountOf(snapshot.exchanges, "failures_remembered"))};
}
Samples ExchangeFailures(const Snapshot& snapshot) { return {Sample({}, CountOf(snapshot.exchanges, "failures"))}; }
Samples Validations(const Snapshot& snapshot) { return ByName(snapshot.validations); }
Samples DnssecWork(const Snapshot& snapshot) { return ByName(snapshot.dnssec); }
Samples TakenBack(const Snapshot& snapshot) { return {Sample({}, CountOf(snapshot.exchanges, "taken_back"))}; }

// --- sockets ---

template <uint64_t UdpTotals::*Field>
Samples OfUdp(const Snapshot& snapshot) {
  return {Sample({}, snapshot.udp.*Field)};
}

template <uint64_t StreamTotals::*Field>
Samples OfStreams(const Snapshot& snapshot) {
  return {Sample({}, snapshot.streams.*Field)};
}

// One sample for each field whose name begins with `prefix`, labelled with the rest of it.
template <template <typename> typename Counts>
Samples ByReason(const Counts<uint64_t>& totals, std::string_view prefix) {
  Samples samples;
  for (const auto& [name, field] : Counts<uint64_t>::Fields()) {
    if (name.starts_with(prefix)) samples.push_back(Sample({name.substr(prefix.size())}, totals.*field));
  }
  return samples;
}

Samples UdpDropped(const Snapshot& snapshot) { return ByReason(snapshot.udp, "dropped_"); }
Samples StreamsDropped(const Snapshot& snapshot) { return ByReason(snapshot.streams, "dropped_"); }
Samples StreamsRefused(const Snapshot& snapshot) { return ByReason(snapshot.streams, "refused_"); }

Samples UdpCalls(const Snapshot& snapshot) {
  return {Sample({"receive"}, snapshot.udp.receive_calls), Sample({"send"}, snapshot.udp.send_calls)};
}

Samples StreamsClosed(const Snapshot& snapshot) {
  const StreamTotals& streams = snapshot.streams;
  return {Sample({"empty_frames"}, streams.empty_frames),         Sample({"idle_timeouts"}, streams.idle_timeouts),
          Sample({"message_timeouts"}, streams.message_timeouts), Sample({"write_timeouts"}, streams.write_timeouts),
          Sample({"output_overflows"}, streams.output_overflows), Sample({"broken"}, streams.broken)};
}

// --- upstreams ---

// What `add` makes of the addresses of each upstream, those that it has no more among them, in one sample: host names
// may have others every minute, and what the network gives must not make series.
template <typename Add>
Samples PerUpstream(const Snapshot& snapshot, Add add) {
  Samples samples;
  std::map<std::string_view, size_t> places;
  for (const auto* group : {&snapshot.upstreams, &snapshot.former_upstreams}) {
    for (const Upstream& upstream : *group) {
      const auto [place, is_new] = places.try_emplace(upstream.name, samples.size());
      if (is_new) samples.push_back({.labels = {upstream.name}});
      add(samples[place->second], upstream);
    }
  }
  return samples;
}

template <uint64_t Upstream::*Field>
Samples OfUpstreams(const Snapshot& snapshot) {
  return PerUpstream(snapshot, [](MetricSample& sample, const Upstream& upstream) {
    sample.value += static_cast<double>(upstream.*Field);
  });
}

// The same for several words of one label.
template <typename Value>
Samples PerUpstreamAnd(const Snapshot& snapshot, std::initializer_list<std::string_view> words, Value value) {
  Samples all;
  for (const std::string_view word : words) {
    for (MetricSample& sample : PerUpstream(snapshot, [&](MetricSample&to, const Upstream&upstream) {
           to.value += static_cast<double>(value(upstream, word));
         })) {
      sample.labels[1] = word;
      all.push_back(sample);
    }
  }
  return all;
}

Samples UpstreamDurations(const Snapshot& snapshot) {
  return PerUpstream(
      snapshot, [](MetricSample& sample, const Upstream& upstream) { AddTo(sample.durations, upstream.durations); });
}

Samples UpstreamServers(const Snapshot& snapshot) {
  return PerUpstreamAnd(snapshot, {"idle", "connecting", "connected", "failing"},
                        [](const Upstream& upstream, std::string_view state) {
                          const bool former = upstream.protocol.empty();  // it is a sum, and no server
                          return !former && UpstreamStateToString(upstream.state) == state ? 1U : 0U;
                        });
}

Samples UpstreamConnections(const Snapshot& snapshot) {
  return PerUpstreamAnd(snapshot, {"connecting", "busy", "idle"}, [](const Upstream& upstream, std::string_view state) {
    if (state == "connecting") return upstream.connections_connecting;
    return state == "busy" ? upstream.connections_busy : upstream.connections_idle;
  });
}

Samples Handshakes(const Snapshot& snapshot) {
  return PerUpstreamAnd(snapshot, {"false", "true"}, [](const Upstream& upstream, std::string_view resumed) {
    return resumed == "true" ? upstream.handshakes_resumed : upstream.handshakes_full;
  });
}

// clang-format off
const std::vector<Metric>& Table() {
  static const std::vector<Metric> kTable = {
      {"dotward_build_info", kGauge, "Always 1; which version runs.", {"version"}, "", BuildInfo},
      {"dotward_start_time_seconds", kGauge, "When the process began, in seconds since 1970.", {}, "", StartTime},

      {"dotward_queries_total", kCounter,
       "Queries that were read, by type: those that are well known, and all the rest together.", {"transport", "type"},
       "/types/{transport}/{type}", Queries},
      {"dotward_query_ends_total", kCounter,
       "Queries by how they ended; with those that wait, their sum is that of the queries.", {"end"}, "/queries/{end}",
       QueryEnds},
      {"dotward_queries_waiting", kGauge, "Queries that wait for the forwarding loop now.", {}, "/queries/waiting",
       QueriesWaiting},
      {"dotward_query_duration_seconds", kHistogram,
       "Time from reading a query to its reply, by what the reply was made from.", {"source"}, "/durations/{source}",
       QueryDurations},
      {"dotward_responses_total", kCounter, "Replies to clients.", {"rcode"}, "/replies/{rcode}", Replies},
      {"dotward_responses_truncated_total", kCounter, "Of the replies, those with TC set.", {}, "/replies/truncated",
       Truncated},
      {"dotward_limited_total", kCounter,
       "What was done to those who wanted more than their share: waits given up because of the limit of one client, of "
       "one domain, of the process; questions asked later because of large answers; connections refused because of "
       "all, or of one client; queries dropped.",
       {"action"},
       "/limited/{action}", LimitedBy},
      {"dotward_query_log_lines_total", kCounter,
       "Lines of the query log: written, dropped because its thread was behind, lost because the file did not take "
       "them.",
       {"result"}, "/query_log/{result}", QueryLogLines},

      {"dotward_cache_hits_total", kCounter, "Lookups that found an answer.", {}, "/cache/hits", OfCache<&Cache::hits>},
      {"dotward_cache_misses_total", kCounter, "Lookups that found none.", {}, "/cache/misses",
       OfCache<&Cache::misses>},
      {"dotward_cache_stale_total", kCounter, "Queries answered with what was past its time.", {}, "/cache/stale",
       CacheStale},
      {"dotward_cache_prefetches_total", kCounter, "Answers fetched anew before their time was over.", {},
       "/cache/prefetches", CachePrefetches},
      {"dotward_cache_prefetches_refused_total", kCounter,
       "Answers that were not fetched anew before their time was over, because too much was under way.", {},
       "/cache/prefetches_refused", PrefetchesRefused},
      {"dotward_cache_insertions_total", kCounter, "Answers stored.", {}, "/cache/insertions",
       OfCache<&Cache::insertions>},
      {"dotward_cache_evictions_total", kCounter, "Live answers that had to go for space.", {}, "/cache/evictions",
       OfCache<&Cache::evictions>},
      {"dotward_cache_expired_total", kCounter, "Answers removed because their time was over.", {}, "/cache/expired",
       OfCache<&Cache::expired>},
      {"dotward_cache_entries", kGauge, "Answers stored now.", {}, "/cache/entries", OfCache<&Cache::entries>},
      {"dotward_cache_bytes", kGauge, "Memory that the cache takes now.", {}, "/cache/bytes", OfCache<&Cache::octets>},
      {"dotward_cache_size_bytes", kGauge, "Memory that the cache may take: `cache.size`.", {}, "/cache/size",
       CacheSize},
      {"dotward_cache_snapshot_entries", kGauge, "Answers in the file that carries the cache over a restart.", {},
       "/cache/snapshot/entries", SnapshotEntries},
      {"dotward_cache_snapshot_bytes", kGauge, "Length of that file.", {}, "/cache/snapshot/bytes", SnapshotOctets},
      {"dotward_cache_snapshot_timestamp_seconds", kGauge, "When it was written, as Unix time; 0 where there is none.",
       {}, "/cache/snapshot/timestamp_seconds", SnapshotTime},
      {"dotward_cache_snapshot_failures_total", kCounter,
       "Times that it could not be written, or was there at the start and not used.", {}, "/cache/snapshot/failures",
       SnapshotFailures},

      {"dotward_exchanges_total", kCounter, "Questions sent upstream, each for all who ask it at the time.", {},
       "/exchanges/started", ExchangesStarted},
      {"dotward_exchanges_in_flight", kGauge, "Questions that are under way now.", {}, "/exchanges/in_flight",
       ExchangesInFlight},
      {"dotward_exchanges_joined_total", kCounter, "Queries that found their question under way.", {},
       "/exchanges/joined", Joined},
      {"dotward_exchanges_answered_late_total", kCounter,
       "Queries whose answer had come by the time they reached the forwarding loop.", {}, "/exchanges/answered_late",
       AnsweredLate},
      {"dotward_exchanges_asked_again_total", kCounter, "Questions asked once more for clients that had joined.", {},
       "/exchanges/asked_again", AskedAgain},
      {"dotward_answers_without_dnssec_total", kCounter,
       "Queries that were answered by what was fetched for others with DO, without signatures and proofs.", {},
       "/exchanges/without_dnssec", WithoutDnssec},
      {"dotward_answers_denied_by_cut_total", kCounter,
       "Queries for a name below one that is known not to exist (RFC 8020).", {}, "/exchanges/denied_by_cut",
       DeniedByCut},
      {"dotward_failures_remembered_total", kCounter,
       "Queries that an earlier failure decided, without asking anybody again.", {},
       "/exchanges/failures_remembered", FailuresRemembered},
      {"dotward_exchanges_failed_total", kCounter, "Questions that nobody answered usably.", {}, "/exchanges/failures",
       ExchangeFailures},
      {"dotward_exchanges_taken_back_total", kCounter, "Questions that nobody waited for any more.", {},
       "/exchanges/taken_back", TakenBack},
      {"dotward_dnssec_validations_total", kCounter, "Answers that were validated, by what was found (RFC 4033 §5).",
       {"result"}, "/validations/{result}", Validations},
      {"dotward_dnssec_work_total", kCounter,
       "What validation took: checks of signatures, questions for keys, second opinions; answers over a limit of work, "
       "answers from denials without asking, judgements beside the forwarding loop.",
       {"kind"}, "/dnssec/{kind}", DnssecWork},

      {"dotward_upstream_queries_total", kCounter, "Queries put to the upstream.", {"upstream"},
       "/upstreams/{upstream}/queries", OfUpstreams<&Upstream::queries>},
      {"dotward_upstream_responses_total", kCounter, "Of these, those that it answered, with any RCODE.", {"upstream"},
       "/upstreams/{upstream}/responses", OfUpstreams<&Upstream::responses>},
      {"dotward_upstream_failures_total", kCounter, "Of these, those that it did not answer usably.", {"upstream"},
       "/upstreams/{upstream}/failed", OfUpstreams<&Upstream::failed>},
      {"dotward_upstream_timeouts_total", kCounter, "Of the failures, those for want of time.", {"upstream"},
       "/upstreams/{upstream}/timeouts", OfUpstreams<&Upstream::timeouts>},
      {"dotward_upstream_retries_total", kCounter, "Queries sent once more because their connection was lost.",
       {"upstream"}, "/upstreams/{upstream}/retried", OfUpstreams<&Upstream::retried>},
      {"dotward_upstream_hedges_total", kCounter, "Of the queries, those of which an earlier server was late.",
       {"upstream"}, "/upstreams/{upstream}/hedges", OfUpstreams<&Upstream::hedges>},
      {"dotward_upstream_hedges_won_total", kCounter, "Of the hedges, those that were answered first.", {"upstream"},
       "/upstreams/{upstream}/hedges_won", OfUpstreams<&Upstream::hedges_won>},
      {"dotward_upstream_nxdomain_total", kCounter, "Of the responses, those with NXDOMAIN.", {"upstream"},
       "/upstreams/{upstream}/nxdomain", OfUpstreams<&Upstream::nxdomain>},
      {"dotward_upstream_servfail_total", kCounter, "Of the responses, those with SERVFAIL.", {"upstream"},
       "/upstreams/{upstream}/servfail", OfUpstreams<&Upstream::servfail>},
      {"dotward_upstream_malformed_total", kCounter, "Responses that could not be parsed.", {"upstream"},
       "/upstreams/{upstream}/malformed", OfUpstreams<&Upstream::malformed>},
      {"dotward_upstream_mismatched_total", kCounter, "Messages that answered no query of ours.", {"upstream"},
       "/upstreams/{upstream}/mismatched", OfUpstreams<&Upstream::mismatched>},
      {"dotward_upstream_late_total", kCounter, "Responses that nobody waited for any more.", {"upstream"},
       "/upstreams/{upstream}/late", OfUpstreams<&Upstream::late>},
      {"dotward_upstream_probes_total", kCounter, "Questions of our own, to see whether the upstream lives.",
       {"upstream"}, "/upstreams/{upstream}/probes", OfUpstreams<&Upstream::probes>},
      {"dotward_upstream_duration_seconds", kHistogram, "Time to a response.", {"upstream"},
       "/upstreams/{upstream}/durations", UpstreamDurations},
      {"dotward_upstream_in_flight", kGauge, "Queries that wait for the upstream now.", {"upstream"},
       "/upstreams/{upstream}/in_flight", OfUpstreams<&Upstream::in_flight>},
      {"dotward_upstream_servers", kGauge, "Addresses of the upstream, by what is known of them.",
       {"upstream", "state"}, "", UpstreamServers},
      {"dotward_upstream_connections", kGauge,
       "Connections: being made, with queries under way, and without.", {"upstream", "state"},
       "/upstreams/{upstream}/connections_{state}", UpstreamConnections},
      {"dotward_upstream_connections_opened_total", kCounter, "Connections that were made.", {"upstream"},
       "/upstreams/{upstream}/connections_opened", OfUpstreams<&Upstream::connections>},
      {"dotward_upstream_connections_suspected_total", kCounter,
       "Connections that were silent for too long; some were cleared again.", {"upstream"},
       "/upstreams/{upstream}/connections_suspected", OfUpstreams<&Upstream::connections_suspected>},
      {"dotward_upstream_connections_lost_total", kCounter,
       "Connections that the other side or the network ended while queries waited.", {"upstream"},
       "/upstreams/{upstream}/connections_lost", OfUpstreams<&Upstream::connections_lost>},
      {"dotward_upstream_connect_failures_total", kCounter, "Connections that could not be made.", {"upstream"},
       "/upstreams/{upstream}/connect_failures", OfUpstreams<&Upstream::connect_failures>},
      {"dotward_upstream_tls_handshakes_total", kCounter, "TLS handshakes, by whether they resumed a session.",
       {"upstream", "resumed"}, "", Handshakes},

      {"dotward_udp_queries_total", kCounter, "Datagrams that were received, whatever was in them.", {},
       "/udp/queries", OfUdp<&UdpTotals::queries>},
      {"dotward_udp_replies_total", kCounter, "Datagrams that were sent.", {}, "/udp/replies",
       OfUdp<&UdpTotals::replies>},
      {"dotward_udp_deferred_total", kCounter, "Queries over UDP that had to wait for an upstream.", {},
       "/udp/deferred", OfUdp<&UdpTotals::deferred>},
      {"dotward_udp_dropped_total", kCounter,
       "Datagrams and replies to them that were dropped: too long, from a source that nothing may be sent to, nothing "
       "owed, too many waiting, refused by the kernel, the socket blocked.", {"reason"}, "/udp/dropped_{reason}",
       UdpDropped},
      {"dotward_udp_receive_failures_total", kCounter, "Reads of a UDP socket that failed.", {},
       "/udp/receive_failures", OfUdp<&UdpTotals::receive_failures>},
      {"dotward_udp_calls_total", kCounter, "System calls that moved a batch of datagrams.", {"call"},
       "/udp/{call}_calls", UdpCalls},

      {"dotward_stream_connections", kGauge, "Connections of clients that are open.", {}, "/streams/open",
       OfStreams<&StreamTotals::open>},
      {"dotward_stream_connections_accepted_total", kCounter, "Connections of clients that were accepted.", {},
       "/streams/accepted", OfStreams<&StreamTotals::accepted>},
      {"dotward_stream_connections_refused_total", kCounter,
       "Connections of clients that were closed at once: `limits.tcp_connections`, "
       "`limits.tcp_connections_per_client`.", {"reason"}, "/streams/refused_{reason}", StreamsRefused},
      {"dotward_stream_connections_closed_total", kCounter,
       "Connections of clients that ended in another way than by the client's closing them.", {"reason"},
       "/streams/{reason}", StreamsClosed},
      {"dotward_stream_accept_failures_total", kCounter,
       "Connections that could not be accepted for want of descriptors or memory.", {}, "/streams/accept_failures",
       OfStreams<&StreamTotals::accept_failures>},
      {"dotward_stream_queries_total", kCounter, "Queries that were read from connections.", {}, "/streams/queries",
       OfStreams<&StreamTotals::queries>},
      {"dotward_stream_replies_total", kCounter, "Replies that were written to connections.", {}, "/streams/replies",
       OfStreams<&StreamTotals::replies>},
      {"dotward_stream_deferred_total", kCounter, "Queries over connections that had to wait for an upstream.", {},
       "/streams/deferred", OfStreams<&StreamTotals::deferred>},
      {"dotward_stream_dropped_total", kCounter, "Queries over connections that got no reply: nothing owed, too many "
       "waiting.", {"reason"}, "/streams/dropped_{reason}", StreamsDropped},
  };
  return kTable;
}
// clang-format on

}  // namespace

std::span<const Metric> Metrics() { return Table(); }

}  // namespace dotward
