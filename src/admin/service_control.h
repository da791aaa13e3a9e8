#ifndef DOTWARD_ADMIN_SERVICE_CONTROL_H_
#define DOTWARD_ADMIN_SERVICE_CONTROL_H_

#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "admin/answer_trust.h"
#include "admin/slow_queries.h"
#include "admin/statistics.h"
#include "base/ip_address.h"
#include "config/reload_report.h"
#include "dns/name.h"
#include "dns/types.h"
#include "dnssec/chain_walker.h"
#include "dotward/clock.h"
#include "dotward/response_cache.h"
#include "policy/policy.h"
#include "resolver/query_coalescer.h"
#include "upstream/forwarder.h"

namespace dotward {

// What does not change while the process lives, and how long it has.
struct ServiceFacts {
  std::string version;
  int64_t pid = 0;
  Duration uptime{0};
  std::vector<Endpoint> listening;  // with the ports that the kernel chose
  std::string config_file;          // empty where it runs on the built-in defaults
  uint64_t workers = 0;
};

// How one question would be answered now, step by step, without asking anybody.
struct WhyReport {
  // What the policy says of a client on this machine.
  PolicyVerdict verdict = PolicyVerdict::kProceed;
  Rcode rcode = Rcode::kNoError;      // with kRefuse
  std::vector<ExtendedError> errors;  // with kRefuse
  ImagePtr local;                     // with kAnswer
  // What the cache has that could answer the question, for each DO and CD, what has expired included; last, a denial of
  // a name above that answers for this one as well (RFC 8020).
  std::vector<JudgedEntry> entries;
  // What would become of it where the cache has no fresh answer.
  QueryCoalescer::Outlook outlook;
  // Where answers are validated: what is known of the chain of trust.
  std::optional<TrustChain> chain;
  // And of the answer at its end; nullopt where nothing is.
  std::optional<AnswerTrust> answer;
  // Where it would be asked; nullopt where no route has the name.
  std::optional<RouteSnapshot> route;
};

struct ControlQuery {
  Name name;
  uint16_t type = 0;
  bool dnssec_ok = false;
  bool checking_disabled = false;
  std::string upstream;  // this one alone; empty: as the routes have it
};

struct ControlAnswer {
  absl::Status status;  // not OK: nobody gave a usable response, and why
  Octets response;      // as it came, OPT included
  std::string upstream;
  bool authenticated = false;  // over TLS, with the server's identity checked
  Duration took{0};
};

struct SlowReport {
  uint64_t seen = 0;  // since the start, kept or not
  std::vector<SlowQuery> queries;
};

// What a running server can be asked and told from outside the query path: the one seam between it and the control
// socket, the HTTP endpoint and whatever else administers it. Every verb is thread-safe, and may be used from the
// moment that the server runs until the object ends, while the server stops, too.
class ServiceControl {
 public:
  virtual ~ServiceControl() = default;

  virtual ServiceFacts Facts() const = 0;
  // Every listener is bound and read, and nobody has said stop. The state of the upstreams has no say in it.
  virtual bool ready() const = 0;

  // Both block for one turn of the forwarding loop, which it costs a few microseconds; once the server has stopped, the
  // upstreams are left out.
  virtual StatisticsSnapshot Statistics() = 0;
  virtual std::vector<UpstreamSnapshot> Upstreams() = 0;

  // The last queries that were slow or failed, the newest first, and how many there were since the start.
  virtual SlowReport Slow() = 0;

  // Everything that is stored under the name, expired or not. Changes no counter and no order of use.
  virtual std::vector<CacheEntry> CacheEntriesOf(const Name& name) = 0;
  // How an entry was judged, as far as that is known now. Blocks for one turn of the forwarding loop; once the server
  // has stopped, it is what the entry says by itself.
  virtual AnswerTrust TrustOf(const CacheEntry& entry) = 0;
  // The next few entries of a walk over the cache; false where it has ended. See ResponseCache::Walk.
  virtual bool WalkCache(CacheCursor& cursor, std::vector<CacheEntry>& entries) = 0;
  // How many entries were removed: those of the name, those at and below the zone (the root: all). A large cache takes
  // a second or so, in which no query waits for more than microseconds.
  virtual uint64_t FlushName(const Name& name) = 0;
  virtual uint64_t FlushZone(const Name& zone) = 0;

  virtual WhyReport Why(const Name& name, uint16_t type) = 0;

  // Reads the configuration anew and swaps it in, as SIGHUP does. Blocks until it serves, or is refused.
  virtual ReloadReport Reload() = 0;

  // Asks upstream, past the cache, which neither answers nor learns anything. Returns at once; `done` is called exactly
  // once, within the query's deadline, on a thread of the server's: it must only hand the answer over.
  virtual void Query(ControlQuery query, std::function<void(ControlAnswer)> done) = 0;
};

}  // namespace dotward

#endif  // DOTWARD_ADMIN_SERVICE_CONTROL_H_
