// Any octets as the answers to a DS and a DNSKEY query about example., and to a question in it, under a root of which
// the key is fixed: nothing is secure but what ldns can verify too, by the same keys at the same time; and the work is
// bounded. The input is the DS answer and the DNSKEY answer, each behind two octets of length, and the answer.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "dnssec/chain_link.h"
#include "dnssec/dnssec_limits.h"
#include "dnssec/ldns_types.h"
#include "dnssec/response_judge.h"
#include "dnssec/response_parts.h"
#include "dnssec/rrset_verifier.h"
#include "dnssec/work_estimate.h"
#include "dotward/message.h"

namespace {

using namespace dotward;

constexpr WallTime kNow{std::chrono::sys_days(std::chrono::year(2026) / 11 / 1)};

void Require(bool condition, const char* claim) {
  if (condition) return;
  std::fprintf(stderr, "does not hold: %s\n", claim);
  std::abort();
}

template <typename Places>
LdnsRrList ReadAll(const ScannedMessage& message, const Places& places) {
  LdnsRrList list(ldns_rr_list_new());
  for (const uint16_t place : places) {
    ldns_rr* record = nullptr;
    size_t at = message.records[place].owner;
    if (ldns_wire2rr(&record, message.octets.data(), message.octets.size(), &at, LDNS_SECTION_ANSWER) ==
        LDNS_STATUS_OK) {
      ldns_rr_list_push_rr(list.get(), record);
    }
  }
  return list;
}

// One of ldns's signatures by one of its keys; what it accepts is more than what we do.
bool LdnsVerifies(const ScannedMessage& message, const Rrset& rrset, const ldns_rr_list* keys) {
  const LdnsRrList records = ReadAll(message, rrset.records);
  const LdnsRrList signatures = ReadAll(message, rrset.signatures);
  const time_t now = std::chrono::system_clock::to_time_t(kNow);
  for (size_t s = 0; s < ldns_rr_list_rr_count(signatures.get()); ++s) {
    for (size_t k = 0; k < ldns_rr_list_rr_count(keys); ++k) {
      if (ldns_verify_rrsig_time(records.get(), ldns_rr_list_rr(signatures.get(), s), ldns_rr_list_rr(keys, k), now) ==
          LDNS_STATUS_OK) {
        return true;
      }
    }
  }
  return false;
}

void CheckBudget(const WorkBudget& budget) {
  Require(budget.signature_checks() <= DnssecLimits::kSignatureChecksPerResponse, "signature checks are bounded");
  Require(budget.hashes() <= DnssecLimits::kNsec3HashesPerResponse, "hashes are bounded");
}

Name ZoneName() { return *Name::Parse("example."); }

// The keys of RFC 8080 §6.1, of which the private parts are known to everybody: the first is the root's, the second
// that of example.
struct Fixed {
  Fixed() : keys(ldns_rr_list_new()) {
    ldns_rr* record = nullptr;
    ldns_rr_new_frm_str(&record, ". IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=", 0, nullptr,
                        nullptr);
    ldns_rr_list_push_rr(keys.get(), record);
    auto key = std::make_shared<ZoneKeys::Key>();
    key->tag = ldns_calc_keytag(record);
    key->algorithm = 15;
    key->use = ZoneKeys::Use::kSigns;
    key->record.reset(ldns_rr_clone(record));
    key->checks = std::make_unique<const SignatureKey>(key->algorithm, OctetsOf(*ldns_rr_rdf(key->record.get(), 3)));
    root = std::make_unique<ZoneKeys>(Name(), std::vector<ZoneKeys::KeyPtr>{std::move(key)});
  }
  LdnsRrList keys;
  std::unique_ptr<ZoneKeys> root;
};

std::optional<DelegationSigners> JudgeDs(const Message& message, const Fixed& fixed) {
  WorkBudget budget;
  const LinkFinding link = JudgeLink(message.scan(), ZoneName(), *fixed.root, kNow, budget);
  CheckBudget(budget);
  Require(EstimateLinkMicroseconds(message.scan(), ZoneName(), *fixed.root) >= budget.microseconds(),
          "what a DS answer took was expected");
  if (!link.verdict.secure() || link.kind != LinkFinding::Kind::kSigned) return std::nullopt;
  const auto ds = FindRrset(message.scan(), Section::kAnswer, ZoneName(), rr_type::kDs);
  Require(ds && LdnsVerifies(message.scan(), *ds, fixed.keys.get()), "ldns verifies a DS that is secure");
  return link.signers;
}

void JudgeAnswer(const Message& message, const ZonePtr& zone, const ldns_rr_list* keys) {
  ResponseParts dissected = DissectResponse(message);
  if (!dissected.classification.usable() || dissected.too_many) return;
  const auto insecure = std::make_shared<const ZoneStatus>(ZoneStatus{Name(), Verdict::Insecure(), nullptr});
  for (ResponsePart& part : dissected.parts) {
    part.zone = part.zone_name().IsAtOrBelow(zone->zone) ? zone : insecure;
  }
  dissected.denial_zone = dissected.last_name.IsAtOrBelow(zone->zone) ? zone : insecure;
  WorkBudget budget;
  const Judgement judgement = JudgeResponse(message.scan(), dissected, kNow, budget);
  CheckBudget(budget);
  Require(EstimateMicroseconds(message.scan(), dissected) >= budget.microseconds(), "what it took was expected");
  Require(!judgement.verdict.bogus() || judgement.verdict.has_error, "what is bogus says why");
  if (!judgement.verdict.secure()) return;
  bool denies = false;
  for (const ResponsePart& part : dissected.parts) {
    if (part.follows_from) continue;
    Require(LdnsVerifies(message.scan(), part.rrset, keys), "ldns verifies what is secure");
    denies |= part.rrset.type == rr_type::kNsec || part.rrset.type == rr_type::kNsec3;
  }
  Require(!dissected.is_denial() || denies, "a denial that is secure has a proof");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  OctetView left(data, size);
  std::vector<OctetView> messages;
  for (int i = 0; i < 2 && left.size() >= 2; ++i) {
    const size_t octets = std::min<size_t>(static_cast<size_t>((left[0] << 8U) | left[1]), left.size() - 2);
    messages.push_back(left.subspan(2, octets));
    left = left.subspan(2 + octets);
  }
  messages.push_back(left);
  if (messages.size() != 3) return 0;
  const Fixed fixed;
  const auto ds = ParseResponse(messages[0]);
  const auto dnskey = ParseResponse(messages[1]);
  const auto answer = ParseResponse(messages[2]);
  if (!ds.ok() || !dnskey.ok()) return 0;
  const auto signers = JudgeDs(*ds, fixed);
  if (!signers) return 0;
  WorkBudget budget;
  const KeysFinding keys = JudgeDnskeys(dnskey->scan(), ZoneName(), *signers, kNow, budget);
  CheckBudget(budget);
  Require(EstimateDnskeysMicroseconds(dnskey->scan(), ZoneName()) >= budget.microseconds(),
          "what a DNSKEY answer took was expected");
  if (!keys.verdict.secure()) return 0;
  const auto rrset = FindRrset(dnskey->scan(), Section::kAnswer, ZoneName(), rr_type::kDnskey);
  Require(rrset.has_value(), "keys that are secure are there");
  const LdnsRrList records = ReadAll(dnskey->scan(), rrset->records);
  Require(LdnsVerifies(dnskey->scan(), *rrset, records.get()), "ldns verifies keys that are secure");
  if (!answer.ok()) return 0;
  JudgeAnswer(*answer, std::make_shared<const ZoneStatus>(ZoneStatus{ZoneName(), Verdict::Secure(), keys.keys}),
              records.get());
  return 0;
}
