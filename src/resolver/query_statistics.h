#ifndef DOTWARD_RESOLVER_QUERY_STATISTICS_H_
#define DOTWARD_RESOLVER_QUERY_STATISTICS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/counter.h"
#include "base/duration_histogram.h"
#include "dns/types.h"
#include "dotward/query_handler.h"
#include "resolver/query_observer.h"

namespace dotward {

// How a query ended for the resolver. Every query waits or has exactly one of these, so that at any time
//   queries = hits + stale + forwarded + waiting + local + refused + dropped + malformed.
enum class QueryEnd : uint8_t {
  kHits,       // answered from the cache
  kStale,      // from the cache, past its time
  kForwarded,  // handed to the forwarding loop and answered with what came of it, be that a failure
  kLocal,      // answered here, without cache and upstream
  kRefused,    // by policy, or RD=0 and not in the cache
  kDropped,    // no reply is owed (a response, no header, a source that is no client), or nothing more may wait
  kMalformed,  // FORMERR, NOTIMP, BADVERS
};

// The words for them and for what else is counted, as people, scripts and metrics see them.
inline constexpr auto kQueryEnds =
    std::to_array<std::string_view>({"hits", "stale", "forwarded", "local", "refused", "dropped", "malformed"});
inline constexpr auto kTransports = std::to_array<std::string_view>({"udp", "tcp", "tls"});
inline constexpr auto kAnswerSources =
    std::to_array<std::string_view>({"cache", "stale", "upstream", "local", "refused", "malformed"});

// The types that are counted each by itself. What clients send must not make counters: the rest are "other", and so are
// queries in which no question could be read.
inline constexpr auto kCountedTypes = std::to_array<uint16_t>(
    {rr_type::kA,    rr_type::kAaaa,   rr_type::kHttps, rr_type::kSvcb, rr_type::kPtr,   rr_type::kMx,
     rr_type::kTxt,  rr_type::kNs,     rr_type::kSoa,   rr_type::kSrv,  rr_type::kCname, rr_type::kDname,
     rr_type::kDs,   rr_type::kDnskey, rr_type::kRrsig, rr_type::kNsec, rr_type::kNaptr, rr_type::kCaa,
     rr_type::kTlsa, rr_type::kSshfp,  rr_type::kAny});
inline constexpr size_t kTypePlaces = kCountedTypes.size() + 1;
size_t PlaceOfType(uint16_t type);
std::string_view NameOfTypePlace(size_t place);  // "A", …, "other"

// RCODEs 0 to 10, 16 and the rest.
inline constexpr size_t kRcodePlaces = 13;
size_t PlaceOfRcode(Rcode rcode);
std::string_view NameOfRcodePlace(size_t place);  // "NOERROR", …, "BADVERS", "other"

// What one resolver counts; below for what it is with each Count.
template <typename Count>
struct QueryCounts {
  std::array<std::array<Count, kTypePlaces>, kTransports.size()> queries{};  // by transport and type
  std::array<Count, kQueryEnds.size()> ends{};
  Count waiting{};  // now, for the forwarding loop
  std::array<Count, kRcodePlaces> replies{};
  Count replies_truncated{};  // of these, with TC
  std::array<DurationHistogramOf<Count>, kAnswerSources.size()> durations{};

  Count& of(QueryEnd end) { return ends[static_cast<size_t>(end)]; }
  const Count& of(QueryEnd end) const { return ends[static_cast<size_t>(end)]; }
  const Count& of(Rcode rcode) const { return replies[PlaceOfRcode(rcode)]; }
};

// One worker's, on cache lines of its own: written by its thread alone, read by any at any time, never reset.
struct alignas(64) QueryStatistics : QueryCounts<Counter> {};
// A sum that somebody has read.
using QueryTotals = QueryCounts<uint64_t>;

inline void CountQuery(QueryStatistics& statistics, Transport transport, uint16_t type) {
  statistics.queries[static_cast<size_t>(transport)][PlaceOfType(type)].Add();
}

inline void CountReply(QueryStatistics& statistics, AnswerSource source, Rcode rcode, Duration duration) {
  statistics.replies[PlaceOfRcode(rcode)].Add();
  statistics.durations[static_cast<size_t>(source)].Add(duration);
}

// Adds what the counters hold now. Any thread may call it while the worker counts on.
void AddTo(QueryTotals& total, const QueryStatistics& part);

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_QUERY_STATISTICS_H_
