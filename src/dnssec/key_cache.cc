#include "dnssec/key_cache.h"

#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "dnssec/dnssec_limits.h"
#include "dnssec/name_tools.h"

namespace dotward {
namespace {

// The entry, its node in the list, the zone's status.
constexpr size_t kEntryOverheadOctets = 400;

OctetView ParentOf(OctetView wire_name) { return wire_name.subspan(wire_name[0] + size_t{1}); }

Duration TimeOf(const ZonePtr& zone, uint32_t ttl) {
  const Duration wanted = std::chrono::seconds(ttl);
  if (zone != nullptr && zone->verdict.bogus()) return DnssecLimits::kBogusZoneTime;
  const bool secure = zone != nullptr && zone->verdict.secure();
  const Duration max = secure ? Duration(DnssecLimits::kKeyCacheTtlMax) : Duration(DnssecLimits::kInsecureZoneTtlMax);
  return std::clamp<Duration>(wanted, DnssecLimits::kKeyCacheTtlMin, max);
}

}  // namespace

void KeyCache::PutZone(const Name& name, ZonePtr zone, uint32_t ttl, SteadyTime now) {
  Put(name, {.zone = std::move(zone)}, ttl, now);
}

void KeyCache::PutNoCut(const Name& name, const Name& zone, Below below, uint32_t ttl, SteadyTime now) {
  const auto speaker_octets = static_cast<uint8_t>(zone.wire().size());
  Put(name, {.nothing_below = below == Below::kNothing, .speaker_octets = speaker_octets}, ttl, now);
}

void KeyCache::Put(const Name& name, Entry entry, uint32_t ttl, SteadyTime now) {
  std::string key = LowerOf(name.wire());
  Remove(key);
  entry.octets = kEntryOverheadOctets + 3 * key.size();
  if (entry.zone != nullptr) {
    entry.octets += entry.zone->verdict.text.size();
    if (entry.zone->keys != nullptr) entry.octets += entry.zone->keys->memory_octets();
  }
  while (!ages_.empty() && (entries_.size() >= DnssecLimits::kKeyCacheEntriesMax ||
                            octets_ + entry.octets > DnssecLimits::kKeyCacheOctetsMax)) {
    Remove(std::string(ages_.front()));
  }
  octets_ += entry.octets;
  entry.expires_at = now + std::chrono::duration_cast<SteadyTime::duration>(TimeOf(entry.zone, ttl));
  entry.age = ages_.insert(ages_.end(), key);
  entries_.emplace(std::move(key), std::move(entry));
}

void KeyCache::Remove(const std::string& key) {
  const auto known = entries_.find(key);
  if (known == entries_.end()) return;
  octets_ -= known->second.octets;
  ages_.erase(known->second.age);
  entries_.erase(known);
}

const KeyCache::Entry* KeyCache::Find(OctetView wire_name, SteadyTime now) const {
  const auto found = entries_.find(LowerOf(wire_name));
  return found == entries_.end() || now >= found->second.expires_at ? nullptr : &found->second;
}

KeyCache::Position KeyCache::Locate(const Name& name, const Name& top, SteadyTime now) {
  Position position;
  position.lowest = top;
  struct NoCut {
    OctetView name;
    const Entry* entry;
  };
  absl::InlinedVector<NoCut, 8> no_cuts;
  for (OctetView at = name.wire(); at.size() >= top.wire().size(); at = ParentOf(at)) {
    if (const Entry* entry = Find(at, now)) {
      ages_.splice(ages_.end(), ages_, entry->age);
      if (entry->zone != nullptr) {
        position.zone = entry->zone;
        position.lowest = Name::FromWire(at);
        break;
      }
      no_cuts.push_back({at, entry});
    }
    if (at.size() == 1) break;
  }
  // What a zone has said that is known no more may have changed with it.
  for (const NoCut& no_cut : no_cuts) {
    if (position.zone == nullptr || no_cut.entry->speaker_octets != position.lowest.wire().size()) continue;
    position.lowest = Name::FromWire(no_cut.name);
    position.nothing_below = no_cut.entry->nothing_below;
    break;
  }
  return position;
}

bool KeyCache::KnowsCutBelow(const Name& zone, const Name& name, SteadyTime now) const {
  for (OctetView at = name.wire(); at.size() > zone.wire().size(); at = ParentOf(at)) {
    const Entry* entry = Find(at, now);
    if (entry != nullptr && entry->zone != nullptr && !entry->zone->verdict.bogus()) return true;
  }
  return false;
}

void KeyCache::Clear() {
  entries_.clear();
  ages_.clear();
  octets_ = 0;
}

}  // namespace dotward
