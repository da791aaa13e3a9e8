#include "cache/snapshot_restorer.h"

#include <algorithm>

#include "dns/wire.h"

namespace dotward {

SnapshotRestorer::SnapshotRestorer(const SnapshotHeader& header, const Options& options)
    : options_(options), written_ms_(header.written_ms), wall_now_ms_(MillisecondsOf(options.wall_now)) {}

SnapshotRestorer::Restored SnapshotRestorer::Restore(const SnapshotRecord& record) {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  const seconds lifetime(std::min(record.lifetime_seconds, ResponseImage::kLifetimeSecondsMax));
  // Nothing is received after the file is written, unless the clock was set back meanwhile.
  milliseconds age = lifetime;
  if (!age_unknown() && record.received_ms <= written_ms_) {
    age = milliseconds(static_cast<int64_t>(wall_now_ms_ - record.received_ms));
  }
  // Before it is parsed, and before the difference could be too large for the steady clock.
  const Duration stale_max_age = options_.stale_max_age;
  if (age >= lifetime + std::chrono::ceil<milliseconds>(stale_max_age)) return {.fate = Fate::kTooOld, .image = {}};
  const ResponseImage::Memory memory{
      .origin = OriginOf(record),
      .received_at = options_.now - age,
      .lifetime_seconds = record.lifetime_seconds,
      .authentic_data = record.authentic_data,
      .dnssec = record.dnssec_ok ? DnssecRecords::kKeep : DnssecRecords::kLeaveOut,
  };
  absl::StatusOr<ImagePtr> image = ResponseImage::Restore(record.message, memory, options_.ttl);
  if (!image.ok()) return {.fate = Fate::kUnusable, .image = {}};
  // The TTLs of now may give it less time than it had.
  const Duration left = (*image)->TimeLeft(options_.now);
  if (left <= -stale_max_age) return {.fate = Fate::kTooOld, .image = {}};
  return {.fate = left > Duration{0} ? Fate::kFresh : Fate::kStale, .image = *std::move(image)};
}

CacheKey SnapshotRestorer::KeyOf(const SnapshotRecord& record, const ResponseImage& image) {
  const OctetView qname = image.qname();
  const uint8_t* const behind_name = qname.data() + qname.size();
  return {.qname = qname,
          .qtype = ReadU16(behind_name),
          .qclass = ReadU16(behind_name + 2),
          .dnssec_ok = record.dnssec_ok,
          .checking_disabled = record.checking_disabled};
}

AnswerOrigin SnapshotRestorer::OriginOf(const SnapshotRecord& record) {
  std::pair<std::string, std::string> texts(record.upstream, record.server);
  if (const auto known = origins_.find(texts); known != origins_.end()) return known->second;
  if (origins_.size() == SnapshotLimits::kOriginsMax) return {};
  const AnswerOrigin origin(record.upstream, record.server);
  origins_.emplace(std::move(texts), origin);
  return origin;
}

}  // namespace dotward
