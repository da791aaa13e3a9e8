#ifndef DOTWARD_POLICY_POLICY_H_
#define DOTWARD_POLICY_POLICY_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "base/ip_address.h"
#include "dns/response_image.h"
#include "dns/scan.h"
#include "dns/types.h"
#include "dotward/clock.h"
#include "dotward/config.h"
#include "policy/access_list.h"

namespace dotward {

// What dnsmasq's names in class CH tell about the cache.
struct CacheFigures {
  uint64_t size = 0;  // cachesize.bind; in octets, dnsmasq counts names
  uint64_t insertions = 0;
  uint64_t evictions = 0;
  uint64_t hits = 0;
  uint64_t misses = 0;
};

// What the server tells about itself to whoever may ask (class CH, RFC 4892). What is empty is hidden: its names are
// refused as any other of that class.
struct ServerIdentity {
  std::string version = "dotward " DOTWARD_VERSION;  // version.bind, version.server
  std::string hostname;                              // id.server, hostname.bind
  std::function<CacheFigures()> cache_figures;       // must be thread-safe
};

enum class PolicyVerdict : uint8_t {
  kProceed,  // look into the cache, ask upstream
  kAnswer,   // `image` is the answer
  kRefuse,   // no records: `rcode` and `errors`
  kDrop,     // silence
};

struct PolicyDecision {
  PolicyVerdict verdict = PolicyVerdict::kProceed;
  ImagePtr image{};
  Rcode rcode = Rcode::kNoError;
  std::span<const ExtendedError> errors{};  // borrowed from the Policy
  bool by_access_list = false;              // because of who asks, not of what is asked
};

// Who may ask, and what is answered here instead of being looked up. Immutable, thread-safe; a reload makes another.
class Policy {
 public:
  Policy(const Config& config, ServerIdentity identity);
  // Decisions borrow from it.
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  // Whether anything at all is owed to this client. Needs no query: it comes first for messages that cannot be read,
  // too, so that an outsider cannot tell a good query from a bad one.
  PolicyDecision EvaluateClient(const Endpoint& client) const;

  // What to do with a query that was accepted (ParseQuery). Allocates nothing for one that proceeds.
  PolicyDecision Evaluate(const ScannedMessage& query, const Endpoint& client, SteadyTime now) const;

 private:
  PolicyDecision AnswerChaos(const ScannedMessage& query, SteadyTime now) const;

  const AccessList access_;
  const RefuseWith refuse_with_;
  const AnyPolicy any_;
  const ServerIdentity identity_;

  const ExtendedError prohibited_;
  const ExtendedError class_not_served_;
  const ExtendedError invalid_query_type_;
  const ExtendedError no_zone_transfers_;
};

}  // namespace dotward

#endif  // DOTWARD_POLICY_POLICY_H_
