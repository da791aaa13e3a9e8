#include "dnssec/anchor_tracker.h"

#include <algorithm>
#include <array>
#include <optional>
#include <sstream>
#include <utility>

#include "base/stable_hash.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "dnssec/algorithm.h"
#include "dnssec/dnssec_limits.h"
#include "dnssec/ldns_types.h"
#include "dnssec/record_reader.h"

namespace dotward {
namespace {

constexpr std::string_view kFirstLine = "dotward trust anchors 1";
constexpr std::string_view kLastLine = "end ";
constexpr std::string_view kLearned = "learned";
constexpr std::string_view kGiven = "given";
constexpr std::array kStates = {AnchorTracker::State::kPending, AnchorTracker::State::kValid,
                                AnchorTracker::State::kMissing, AnchorTracker::State::kRevoked};

int64_t SecondsOf(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::string ChecksumOf(std::string_view text) {
  StableHash sum;
  sum.Add(text);
  std::string hex;
  for (int shift = 60; shift >= 0; shift -= 4)
    hex += "0123456789abcdef"[(sum.value() >> static_cast<unsigned>(shift)) & 15U];
  return hex;
}

std::string HexOf(OctetView octets) {
  std::string hex;
  for (const uint8_t octet : octets) {
    hex += "0123456789ABCDEF"[octet >> 4U];
    hex += "0123456789ABCDEF"[octet & 15U];
  }
  return hex;
}

// "valid 1795188454 learned . IN DS 20326 8 2 E06D…": state, time, from whom, and the key as a DS record.
absl::Status ReadLine(const std::string& line, Name& zone, AnchorTracker::Key& key) {
  std::istringstream fields(line);
  std::string state;
  std::string from;
  int64_t since = 0;
  fields >> state >> since >> from >> std::ws;
  std::string record;
  std::getline(fields, record);
  const auto known = std::ranges::find(kStates, std::string_view(state), AnchorTracker::StateToString);
  if (!fields || known == kStates.end() || (from != kLearned && from != kGiven)) {
    return absl::InvalidArgumentError("no state, time and origin of a key");
  }
  ASSIGN_OR_RETURN(const TrustAnchors anchors, TrustAnchors::Parse(record, "the key"));
  if (anchors.anchors().size() != 1 || anchors.anchors()[0].signers.size() != 1) {
    return absl::InvalidArgumentError("not one key");
  }
  zone = anchors.anchors()[0].zone;
  key = {anchors.anchors()[0].signers[0], *known, WallTime(std::chrono::seconds(since)), from == kLearned};
  return absl::OkStatus();
}

std::optional<DelegationSigner> SignerOf(const ldns_rr& key, uint8_t digest_type) {
  const LdnsRr ds(ldns_key_rr2ds(&key, digest_type == ds_digest::kSha256 ? LDNS_SHA256 : LDNS_SHA384));
  if (ds == nullptr || ldns_rr_rd_count(ds.get()) != 4) return std::nullopt;
  const OctetView digest = OctetsOf(*ldns_rr_rdf(ds.get(), 3));
  return DelegationSigner{.key_tag = ldns_rdf2native_int16(ldns_rr_rdf(ds.get(), 0)),
                          .algorithm = ldns_rdf2native_int8(ldns_rr_rdf(ds.get(), 1)),
                          .digest_type = digest_type,
                          .digest = Octets(digest.begin(), digest.end())};
}

// Whether the key has signed the RRset that it is in.
bool HasSigned(const ScannedMessage& message, const Rrset& rrset, ldns_rr& key, WallTime now) {
  const LdnsRrList records(ldns_rr_list_new());
  for (const uint16_t place : rrset.records) {
    LdnsRr record = ReadRecord(message, message.records[place]);
    if (record == nullptr) return false;
    ldns_rr_list_push_rr(records.get(), record.release());
  }
  unsigned checks = 0;
  for (const uint16_t place : rrset.signatures) {
    const auto fields = ReadSignature(message, message.records[place]);
    if (!fields || fields->key_tag != ldns_calc_keytag(&key)) continue;
    if (++checks > DnssecLimits::kKeyTagCollisionsMax) return false;
    const LdnsRr signature = ReadRecord(message, message.records[place]);
    if (signature == nullptr) continue;
    ldns_rr2canonical(signature.get());
    if (ldns_verify_rrsig_time(records.get(), signature.get(), &key, static_cast<time_t>(SecondsOf(now))) ==
        LDNS_STATUS_OK) {
      return true;
    }
  }
  return false;
}

bool IsTrusted(const AnchorTracker::Key& key) {
  return key.state == AnchorTracker::State::kValid || key.state == AnchorTracker::State::kMissing;
}

}  // namespace

std::string_view AnchorTracker::StateToString(State state) {
  switch (state) {
    case State::kPending:
      return "pending";
    case State::kValid:
      return "valid";
    case State::kMissing:
      return "missing";
    case State::kRevoked:
      return "revoked";
  }
  return "";
}

AnchorTracker::AnchorTracker(const TrustAnchors& configured, WallTime now) {
  for (const TrustAnchors::Anchor& anchor : configured.anchors()) {
    Zone& zone = zones_.emplace_back();
    zone.name = anchor.zone;
    for (const DelegationSigner& signer : anchor.signers) zone.keys.push_back({signer, State::kValid, now});
  }
}

absl::Status AnchorTracker::Restore(std::string_view text) {
  const size_t last = text.rfind(kLastLine);
  const bool whole = text.size() <= DnssecLimits::kAnchorFileOctetsMax && text.starts_with(kFirstLine) &&
                     last != std::string_view::npos && text[last - 1] == '\n' &&
                     text.substr(last + kLastLine.size()) == StrCat(ChecksumOf(text.substr(0, last)), "\n");
  if (!whole) return absl::InvalidArgumentError("it is not a whole file of trust anchors of this version");
  std::istringstream lines(std::string(text.substr(0, last)));
  std::string line;
  std::getline(lines, line);
  std::vector<Zone> zones = zones_;
  // Whose learned keys are vouched for by one that is trusted still.
  std::vector<Name> vouched;
  for (int number = 2; std::getline(lines, line); ++number) {
    Name name;
    Key key;
    const absl::Status read = ReadLine(line, name, key);
    if (!read.ok()) return absl::InvalidArgumentError(StrCat("line ", number, ": ", MessageOf(read)));
    const auto zone = std::ranges::find(zones, name, &Zone::name);
    if (zone == zones.end()) continue;
    const auto known = std::ranges::find(zone->keys, key.signer, &Key::signer);
    if (known == zone->keys.end()) {
      if (key.learned && zone->keys.size() < DnssecLimits::kDnskeysMax) zone->keys.push_back(std::move(key));
    } else if (key.state != State::kPending) {
      if (!known->learned) vouched.push_back(name);
      // What the operator names is his, wherever it was learned first.
      known->state = key.state;
      known->since = key.since;
    }
  }
  for (Zone& zone : zones) {
    if (std::ranges::find(vouched, zone.name) == vouched.end()) {
      std::erase_if(zone.keys, [](const Key& key) { return key.learned; });
    }
    if (std::ranges::none_of(zone.keys, IsTrusted)) {
      return absl::InvalidArgumentError(StrCat("it leaves nothing to trust of ", zone.name.ToString()));
    }
  }
  zones_ = std::move(zones);
  return absl::OkStatus();
}

std::string AnchorTracker::Save() const {
  std::string text = StrCat(kFirstLine, "\n");
  for (const Zone& zone : zones_) {
    for (const Key& key : zone.keys) {
      StrAppend(&text, StateToString(key.state), " ", SecondsOf(key.since), " ", key.learned ? kLearned : kGiven, " ",
                zone.name.ToString(), " IN DS ", int{key.signer.key_tag}, " ", int{key.signer.algorithm}, " ",
                int{key.signer.digest_type}, " ", HexOf(key.signer.digest), "\n");
    }
  }
  return StrCat(text, kLastLine, ChecksumOf(text), "\n");
}

std::vector<AnchorTracker::SeenKey> AnchorTracker::KeysOf(const ScannedMessage& message, const KeysFinding& finding,
                                                          WallTime now) {
  std::vector<SeenKey> seen;
  if (!finding.verdict.secure() || finding.keys == nullptr) return seen;
  const auto rrset = FindRrset(message, Section::kAnswer, finding.keys->zone(), rr_type::kDnskey);
  if (!rrset) return seen;
  for (const ZoneKeys::KeyPtr& key : finding.keys->keys()) {
    ldns_rr& record = *key->record;
    const bool entry_point = (ldns_rdf2native_int16(ldns_rr_rdf(&record, 0)) & LDNS_KEY_SEP_KEY) != 0;
    const bool revoked = key->use == ZoneKeys::Use::kRevoked;
    if (!entry_point || !IsSupportedAlgorithm(key->algorithm)) continue;
    if (!revoked && key->use != ZoneKeys::Use::kSigns) continue;
    if (revoked && !HasSigned(message, *rrset, record, now)) continue;
    // What the key was called before it was revoked.
    const LdnsRr before(ldns_rr_clone(&record));
    const uint16_t flags = ldns_rdf2native_int16(ldns_rr_rdf(&record, 0));
    ldns_rdf_deep_free(ldns_rr_set_rdf(
        before.get(), ldns_native2rdf_int16(LDNS_RDF_TYPE_INT16, static_cast<uint16_t>(flags & ~LDNS_KEY_REVOKE_KEY)),
        0));
    auto signer = SignerOf(*before, ds_digest::kSha256);
    auto signer_sha384 = SignerOf(*before, ds_digest::kSha384);
    if (signer && signer_sha384) seen.push_back({*std::move(signer), *std::move(signer_sha384), revoked});
  }
  return seen;
}

std::vector<std::string> AnchorTracker::Observe(const Name& name, const std::vector<SeenKey>& seen, WallTime now) {
  std::vector<std::string> changes;
  Zone* const zone = Find(name);
  if (zone == nullptr || seen.empty()) return changes;
  const auto change = [&](Key& key, State state, std::string_view what) {
    key.state = state;
    key.since = now;
    changes.push_back(StrCat(name.ToString(), ": key ", int{key.signer.key_tag}, " ", what));
  };
  const auto is_the_last = [&](const Key& key) {
    return IsTrusted(key) &&
           std::ranges::none_of(zone->keys, [&](const Key& other) { return &other != &key && IsTrusted(other); });
  };
  for (Key& key : zone->keys) {
    const auto now_seen = std::ranges::find_if(seen, [&](const SeenKey& other) { return other.Is(key.signer); });
    const bool present = now_seen != seen.end();
    if (present && now_seen->revoked) {
      if (key.state != State::kRevoked && !is_the_last(key)) change(key, State::kRevoked, "was revoked by its zone");
    } else if (key.state == State::kValid && !present) {
      change(key, State::kMissing, "is not in its zone any more; it stays trusted");
    } else if (key.state == State::kMissing && present) {
      change(key, State::kValid, "is in its zone again");
    } else if (key.state == State::kPending && present && now >= key.since + DnssecLimits::kNewKeyHoldDown) {
      change(key, State::kValid, "was in its zone for 30 days, and is trusted from now on");
    }
  }
  // RFC 5011 §2.2: a new key that goes away before its time begins anew when it comes again.
  std::erase_if(zone->keys, [&](const Key& key) {
    const bool present = std::ranges::any_of(seen, [&](const SeenKey& other) { return other.Is(key.signer); });
    if (key.state != State::kPending || present) return false;
    changes.push_back(StrCat(name.ToString(), ": new key ", int{key.signer.key_tag}, " is gone again"));
    return true;
  });
  for (const SeenKey& key : seen) {
    if (key.revoked || zone->keys.size() >= DnssecLimits::kDnskeysMax) continue;
    if (std::ranges::any_of(zone->keys, [&](const Key& known) { return key.Is(known.signer); })) continue;
    zone->keys.push_back({key.signer, State::kPending, now, true});
    changes.push_back(StrCat(name.ToString(), ": new key ", int{key.signer.key_tag},
                             "; it is trusted once it has been in the zone for 30 days"));
  }
  return changes;
}

TrustAnchors AnchorTracker::Current() const {
  TrustAnchors anchors;
  for (const Zone& zone : zones_) {
    for (const Key& key : zone.keys) {
      if (IsTrusted(key)) anchors.Add(zone.name, key.signer);
    }
  }
  return anchors;
}

AnchorTracker::Zone* AnchorTracker::Find(const Name& name) {
  const auto found = std::ranges::find(zones_, name, &Zone::name);
  return found == zones_.end() ? nullptr : &*found;
}

}  // namespace dotward
