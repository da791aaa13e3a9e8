#include "admin/statistics.h"

#include <array>
#include <charconv>
#include <numeric>

namespace dotward {

uint64_t QueriesReceived(const QueryTotals& queries) {
  uint64_t sum = 0;
  for (const auto& of_transport : queries.queries) sum = std::reduce(of_transport.begin(), of_transport.end(), sum);
  return sum;
}

uint64_t QueriesEnded(const QueryTotals& queries) { return std::reduce(queries.ends.begin(), queries.ends.end()); }

std::string BoundText(Duration bound) {
  std::array<char, 32> digits;
  const double seconds = std::chrono::duration<double>(bound).count();
  return {digits.begin(), std::to_chars(digits.begin(), digits.end(), seconds, std::chars_format::fixed).ptr};
}

void AddExchanges(const QueryCoalescer::Statistics& statistics, StatisticsSnapshot& snapshot) {
  snapshot.prefetches = statistics.prefetches.value();
  snapshot.prefetches_refused = statistics.prefetches_refused.value();
  snapshot.exchanges = {{"started", statistics.exchanges.value()},
                        {"in_flight", statistics.in_flight.value()},
                        {"asked_again", statistics.asked_again.value()},
                        {"joined", statistics.joined.value()},
                        {"paced", statistics.paced.value()},
                        {"answered_late", statistics.answered_late.value()},
                        {"without_dnssec", statistics.without_dnssec.value()},
                        {"denied_by_cut", statistics.denied_by_cut.value()},
                        {"failures_remembered", statistics.failures_remembered.value()},
                        {"failures", statistics.failures.value()},
                        {"over_limit", statistics.over_limit.value()},
                        {"given_up_client", statistics.given_up_client.value()},
                        {"given_up_suffix", statistics.given_up_suffix.value()},
                        {"taken_back", statistics.taken_back.value()}};
}

void AddValidations(const DnssecStatistics& statistics, StatisticsSnapshot& snapshot) {
  snapshot.validations = {{"secure", statistics.secure.value()},
                          {"insecure", statistics.insecure.value()},
                          {"indeterminate", statistics.indeterminate.value()},
                          {"bogus", statistics.bogus.value()}};
  snapshot.dnssec = {
      {"over_budget", statistics.over_budget.value()},     {"signature_checks", statistics.signature_checks.value()},
      {"chain_queries", statistics.chain_queries.value()}, {"second_opinions", statistics.second_opinions.value()},
      {"from_denials", statistics.from_denials.value()},   {"beside_loop", statistics.beside_loop.value()}};
}

uint64_t CountOf(const NamedCounts& group, std::string_view name) {
  for (const NamedCount& count : group) {
    if (name == count.name) return count.value;
  }
  return 0;
}

NamedCounts Limited(const StatisticsSnapshot& snapshot) {
  const uint64_t client = CountOf(snapshot.exchanges, "given_up_client");
  const uint64_t suffix = CountOf(snapshot.exchanges, "given_up_suffix");
  return {{"give_up_client", client},
          {"give_up_domain", suffix},
          {"give_up_process", CountOf(snapshot.exchanges, "over_limit") - client - suffix},
          {"pace_large_answers", CountOf(snapshot.exchanges, "paced")},
          {"refuse_connection", snapshot.streams.refused_total},
          {"refuse_connection_client", snapshot.streams.refused_per_client},
          {"drop_pending", snapshot.udp.dropped_pending + snapshot.streams.dropped_pending}};
}

}  // namespace dotward
