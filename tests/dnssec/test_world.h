#ifndef DOTWARD_TESTS_DNSSEC_TEST_WORLD_H_
#define DOTWARD_TESTS_DNSSEC_TEST_WORLD_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "dns/types.h"
#include "dnssec/test_signer.h"
#include "dnssec/trust_anchors.h"
#include "dotward/message.h"
#include "testing/messages.h"

namespace dotward {

// One answer that an upstream gives, written set by set.
class WorldAnswer {
 public:
  struct Record {
    Section section;
    std::string owner;
    uint32_t ttl;
    Rdata rdata;
  };
  WorldAnswer& Rcode(dotward::Rcode rcode) {
    rcode_ = rcode;
    return *this;
  }
  WorldAnswer& Plain(Section section, const std::string& owner, std::vector<Rdata> rdata, uint32_t ttl = 300) {
    for (Rdata& one : rdata) records_.push_back({section, owner, ttl, std::move(one)});
    return *this;
  }
  WorldAnswer& Signed(const TestSigner& signer, Section section, const std::string& owner,
                      const std::vector<Rdata>& rdata, const SignatureSpec& spec = {}, uint32_t ttl = 300) {
    Plain(section, owner, rdata, ttl);
    return Plain(section, owner, {signer.Sign(owner, ttl, rdata, spec)}, ttl);
  }
  // What a wildcard answers with: signed as `wildcard`, given as `owner`.
  WorldAnswer& Expanded(const TestSigner& signer, const std::string& wildcard, const std::string& owner,
                        const std::vector<Rdata>& rdata) {
    Plain(Section::kAnswer, owner, rdata);
    return Plain(Section::kAnswer, owner, {signer.Sign(wildcard, 300, rdata)});
  }
  WorldAnswer& SignedSoa(const TestSigner& signer) {
    return Signed(signer, Section::kAuthority, signer.zone(), {Soa(300)});
  }
  WorldAnswer& SignedNsec(const TestSigner& signer, const std::string& owner, std::string_view next,
                          std::initializer_list<uint16_t> types) {
    return Signed(signer, Section::kAuthority, owner, {Nsec(next, types)});
  }

  Octets To(const Octets& query) const {
    MessageBuilder builder = MessageBuilder::ResponseTo(query);
    builder.WithRcode(rcode_);
    for (const Record& record : records_) {
      if (record.section == Section::kAnswer) builder.Answer(record.owner, record.ttl, record.rdata);
      if (record.section == Section::kAuthority) builder.Authority(record.owner, record.ttl, record.rdata);
      if (record.section == Section::kAdditional) builder.Additional(record.owner, record.ttl, record.rdata);
    }
    return builder.Build();
  }

 private:
  dotward::Rcode rcode_ = dotward::Rcode::kNoError;
  std::vector<Record> records_;
};

// The zones that an upstream knows: the root and what is delegated from it. Questions that nobody wrote an answer for
// get REFUSED.
class TestWorld {
 public:
  TestWorld() { Establish("."); }

  TestSigner& signer(const std::string& zone) { return *signers_.at(zone); }
  // The answer to a question, to be written.
  WorldAnswer& On(const std::string& name, uint16_t type) { return answers_[{name, type}]; }
  WorldAnswer& Anew(const std::string& name, uint16_t type) { return answers_[{name, type}] = WorldAnswer(); }

  // A zone with DS and DNSKEY.
  TestSigner& Delegate(const std::string& parent, const std::string& zone,
                       ldns_signing_algorithm algorithm = LDNS_SIGN_ED25519, uint8_t digest_type = 2) {
    TestSigner& child = Establish(zone, algorithm);
    On(zone, rr_type::kDs).Signed(signer(parent), Section::kAnswer, zone, {child.Ds(digest_type)});
    return child;
  }
  // A zone without DS; NSEC says so.
  void DelegateUnsigned(const std::string& parent, const std::string& zone) {
    On(zone, rr_type::kDs)
        .SignedSoa(signer(parent))
        .SignedNsec(signer(parent), zone, "\\000." + zone, {rr_type::kNs, rr_type::kRrsig, rr_type::kNsec});
  }
  // A name where no zone begins.
  void NoCut(const std::string& zone, const std::string& name) {
    On(name, rr_type::kDs)
        .SignedSoa(signer(zone))
        .SignedNsec(signer(zone), name, "\\000." + name, {rr_type::kA, rr_type::kRrsig, rr_type::kNsec});
  }

  absl::StatusOr<Octets> Answer(const Octets& query) const {
    const MessageRead read = MustReadMessage(query);
    const auto answer = answers_.find({read.questions.at(0).name, read.questions.at(0).type});
    if (answer == answers_.end()) return FailureAnswerTo(query, dotward::Rcode::kRefused);
    return answer->second.To(query);
  }

  // Of these zones.
  std::shared_ptr<TrustAnchors> Anchors(const std::vector<std::string>& zones = {"."}) const {
    auto anchors = std::make_shared<TrustAnchors>();
    for (const std::string& zone : zones) anchors->Add(*Name::Parse(zone), signers_.at(zone)->Signer());
    return anchors;
  }
  // A zone that nothing is said of above it.
  TestSigner& Establish(const std::string& zone, ldns_signing_algorithm algorithm = LDNS_SIGN_ED25519) {
    auto& made = signers_[zone] = std::make_unique<TestSigner>(zone, algorithm);
    On(zone, rr_type::kDnskey).Signed(*made, Section::kAnswer, zone, {made->Dnskey()});
    return *made;
  }

 private:
  std::map<std::string, std::unique_ptr<TestSigner>> signers_;
  std::map<std::pair<std::string, uint16_t>, WorldAnswer> answers_;
};

}  // namespace dotward

#endif  // DOTWARD_TESTS_DNSSEC_TEST_WORLD_H_
