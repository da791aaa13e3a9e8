#ifndef DOTWARD_DNSSEC_KEY_CACHE_H_
#define DOTWARD_DNSSEC_KEY_CACHE_H_

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <list>
#include <string>

#include "dns/name.h"
#include "dnssec/zone_status.h"
#include "dotward/clock.h"

namespace dotward {

// What is known of zones and of the places where none begins. At most DnssecLimits::kKeyCacheEntriesMax names
// and kKeyCacheOctetsMax of memory; what was not used for longest goes first. Not thread-safe.
class KeyCache {
 public:
  // How far down towards a name the chain of trust is known.
  struct Position {
    ZonePtr zone;                // the lowest zone known at or above the name; null where none is
    Name lowest;                 // the lowest name of which it is known whether a zone begins there
    bool nothing_below = false;  // that name does not exist, so no zone begins below it either
  };

  // `ttl` in seconds is kept within the limits of the cache.
  void PutZone(const Name& name, ZonePtr zone, uint32_t ttl, SteadyTime now);
  enum class Below : uint8_t { kUnknown, kNothing };
  // By the word of `zone`, for as long as that is the lowest one known above the name.
  void PutNoCut(const Name& name, const Name& zone, Below below, uint32_t ttl, SteadyTime now);

  // Looks no higher than `top`, an ancestor of the name or the name itself. What it finds counts as used.
  Position Locate(const Name& name, const Name& top, SteadyTime now);
  // The zone that is known to begin at exactly this name; null where none is.
  ZonePtr ZoneAt(const Name& name, SteadyTime now) const {
    const Entry* const entry = Find(name.wire(), now);
    return entry == nullptr ? nullptr : entry->zone;
  }
  // Whether a zone is known to begin below `zone`, at or above `name`.
  bool KnowsCutBelow(const Name& zone, const Name& name, SteadyTime now) const;

  void Clear();
  size_t size() const { return entries_.size(); }
  size_t memory_octets() const { return octets_; }

 private:
  struct Entry {
    ZonePtr zone;  // null: no zone begins here
    bool nothing_below = false;
    uint8_t speaker_octets = 0;  // where no zone begins: of the name of the zone that says so
    SteadyTime expires_at;
    size_t octets = 0;
    std::list<std::string>::iterator age;
  };

  void Put(const Name& name, Entry entry, uint32_t ttl, SteadyTime now);
  void Remove(const std::string& key);
  const Entry* Find(OctetView wire_name, SteadyTime now) const;

  absl::flat_hash_map<std::string, Entry> entries_;  // by name in lower case
  std::list<std::string> ages_;                      // by last use
  size_t octets_ = 0;
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_KEY_CACHE_H_
