#ifndef DOTWARD_DNSSEC_DENIAL_CACHE_H_
#define DOTWARD_DNSSEC_DENIAL_CACHE_H_

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dns/name.h"
#include "dnssec/dnssec_limits.h"
#include "dnssec/rrset.h"
#include "dnssec/work_budget.h"
#include "dotward/clock.h"

namespace dotward {

// What zones have proven about names that do not exist, for answering the next question about such a name without
// asking (RFC 8198): NSEC and NSEC3 ranges, the zone's SOA record and, for names that a wildcard answers, what stands
// at it. Everything in it was verified by who put it in. Of what it makes of them, it gives only what DenialProof finds
// to be proven, so that it can be wrong about nothing that a denial from the zone would not be wrong about.
//
// Bounded in octets: what was not used for longest goes. Not thread-safe.
class DenialCache {
 public:
  explicit DenialCache(size_t octets_max = DnssecLimits::kDenialCacheOctetsMax) : octets_max_(octets_max) {}
  DenialCache(const DenialCache&) = delete;
  DenialCache& operator=(const DenialCache&) = delete;

  // Takes a verified RRset of `zone` for `ttl` seconds, together with its signatures: NSEC, NSEC3 and SOA; others not.
  // NSEC3 ranges that opt out prove nothing here and are left out (RFC 8198 §5.2), as are those with more iterations
  // than are looked at.
  void AddDenial(const Name& zone, const ScannedMessage& message, const Rrset& rrset, uint32_t ttl, SteadyTime now);
  // Takes a verified RRset of an answer that was made from the zone's wildcard with `labels` labels behind its "*".
  // Aliases are left out: their targets are somebody else's.
  void AddWildcard(const Name& zone, const ScannedMessage& message, const Rrset& rrset, size_t labels, uint32_t ttl,
                   SteadyTime now);

  // A response to the question, as the zone would have given it to a query with DO: NXDOMAIN, NODATA or what a wildcard
  // says, with SOA and proofs, every TTL what is left of it. Its header has ID 0 and AD set. nullopt where what is
  // known proves nothing, or where finding out costs more than `budget` allows.
  // Zones whose names have fewer octets than `zone_octets_min` are not heard: they have no say about the name.
  std::optional<Octets> Answer(const Name& name, uint16_t type, size_t zone_octets_min, SteadyTime now,
                               WorkBudget& budget);

  void Clear();

  size_t octets() const { return octets_; }
  size_t size() const { return by_use_.size(); }

 private:
  struct Zone;
  struct Entry;
  using Entries = std::map<std::string, Entry*>;
  struct Record {
    uint16_t type = 0;
    Octets rdata;
  };
  // One RRset and its signatures, at a key of one of its zone's maps.
  struct Entry {
    Zone* zone = nullptr;
    Entries* place = nullptr;
    std::string key;
    Name owner;
    Name next;  // of NSEC
    std::vector<Record> records;
    SteadyTime expires_at{};
    size_t octets = 0;
    std::list<std::unique_ptr<Entry>>::iterator by_use;
  };
  struct Zone {
    Name name;
    Entries soa;        // at most one, at ""
    Entries nsecs;      // by owner in canonical order
    Entries nsec3s;     // by hash
    Entries wildcards;  // by the type and the owner in canonical order
    // Of the NSEC3 ranges.
    uint16_t iterations = 0;
    Octets salt;
  };
  // What a response is made of.
  struct Parts {
    std::vector<const Entry*> authority;
    const Entry* answer = nullptr;
    std::optional<size_t> wildcard_labels;  // with an answer
  };

  Zone& ZoneFor(const Name& name);
  void Put(Zone& zone, Entries& place, std::string key, Entry entry, uint32_t ttl, SteadyTime now);
  void Remove(Entry& entry);
  void Evict();
  static void CopyRecords(const ScannedMessage& message, std::span<const uint16_t> places, Entry& entry);
  // Uses the entry at the key or, where `covering` is set, the one before it (the last where there is none before).
  // Null where there is none, or it has expired.
  const Entry* Find(const Entries& entries, const std::string& key, bool covering, SteadyTime now);

  std::optional<Octets> AnswerFrom(Zone& zone, const Name& name, uint16_t type, SteadyTime now, WorkBudget& budget);
  Parts PartsByNsec(Zone& zone, const Name& name, uint16_t type, SteadyTime now);
  Parts PartsByNsec3(Zone& zone, const Name& name, uint16_t type, SteadyTime now, WorkBudget& budget);
  void AddWildcardTo(Parts& parts, Zone& zone, const Name& closest, uint16_t type, SteadyTime now);
  static std::optional<Octets> Write(const Name& name, uint16_t type, Rcode rcode, const Parts& parts, SteadyTime now);

  const size_t octets_max_;
  size_t octets_ = 0;
  std::map<std::string, Zone> zones_;         // by name in canonical order
  std::list<std::unique_ptr<Entry>> by_use_;  // the latest first
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_DENIAL_CACHE_H_
