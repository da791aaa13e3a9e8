#include "dnssec/anchor_tracker.h"

#include <gtest/gtest.h>

#include <string>

#include "dnssec/dnssec_limits.h"
#include "dnssec/test_signer.h"
#include "dotward/message.h"

namespace dotward {
namespace {

using State = AnchorTracker::State;
using std::chrono::hours;

constexpr hours kDay{24};

Name Root() { return Name(); }

class AnchorTrackerTest : public testing::Test {
 protected:
  AnchorTrackerTest() : tracker_(Trusting({&old_}), now_) {}

  static TrustAnchors Trusting(const std::vector<const TestSigner*>& keys) {
    TrustAnchors anchors;
    for (const TestSigner* key : keys) anchors.Add(Root(), key->Signer());
    return anchors;
  }

  // The root's answer with these keys, signed by those.
  Octets Answer(const std::vector<Rdata>& keys, const std::vector<const TestSigner*>& signers) const {
    MessageBuilder builder = MessageBuilder(1).Flags(header_flag::kQr).Question(".", rr_type::kDnskey);
    for (const Rdata& key : keys) builder.Answer(".", 172'800, key);
    const auto at = static_cast<uint32_t>(now_.time_since_epoch() / std::chrono::seconds(1));
    for (const TestSigner* signer : signers) {
      builder.Answer(".", 172'800,
                     signer->Sign(".", 172'800, keys, {.inception = at - 3'600, .expiration = at + 86'400}));
    }
    return builder.Build();
  }

  // What the tracker makes of it, if the keys it trusts vouch for it.
  std::vector<std::string> Observe(const std::vector<Rdata>& keys, const std::vector<const TestSigner*>& signers) {
    const Octets octets = Answer(keys, signers);
    const absl::StatusOr<Message> message = ParseResponse(octets);
    EXPECT_TRUE(message.ok());
    WorkBudget budget;
    const TrustAnchors current = tracker_.Current();
    const KeysFinding finding = JudgeDnskeys(message->scan(), Root(), current.ClosestTo(Root())->signers, now_, budget);
    return tracker_.Observe(Root(), AnchorTracker::KeysOf(message->scan(), finding, now_), now_);
  }

  State StateOf(const TestSigner& key) const {
    for (const AnchorTracker::Key& known : tracker_.zones().at(0).keys) {
      if (known.signer == key.Signer()) return known.state;
    }
    ADD_FAILURE() << "the key is not known";
    return State::kRevoked;
  }
  size_t KeysKnown() const { return tracker_.zones().at(0).keys.size(); }
  bool Trusts(const TestSigner& key) const {
    const TrustAnchors current = tracker_.Current();
    const DelegationSigners& signers = current.ClosestTo(Root())->signers;
    return std::find(signers.begin(), signers.end(), key.Signer()) != signers.end();
  }

  WallTime now_ = kSigningTime;
  const TestSigner old_{"."};
  const TestSigner new_{"."};
  AnchorTracker tracker_;
};

TEST_F(AnchorTrackerTest, KeyThatIsThereAsBeforeChangesNothing) {
  EXPECT_TRUE(Observe({old_.Dnskey()}, {&old_}).empty());
  EXPECT_EQ(StateOf(old_), State::kValid);
}

TEST_F(AnchorTrackerTest, NewKeyIsTrustedAfterThirtyDaysUnderAnOldOne) {
  EXPECT_EQ(Observe({old_.Dnskey(), new_.Dnskey()}, {&old_}).size(), 1U);
  EXPECT_EQ(StateOf(new_), State::kPending);
  EXPECT_FALSE(Trusts(new_));
  now_ += 30 * kDay - std::chrono::seconds(1);
  EXPECT_TRUE(Observe({old_.Dnskey(), new_.Dnskey()}, {&old_}).empty());
  EXPECT_FALSE(Trusts(new_));
  now_ += std::chrono::seconds(1);
  EXPECT_EQ(Observe({old_.Dnskey(), new_.Dnskey()}, {&old_}).size(), 1U);
  EXPECT_TRUE(Trusts(new_));
  EXPECT_TRUE(Trusts(old_));
  // From here on it vouches alone.
  Observe({new_.Dnskey()}, {&new_});
  EXPECT_EQ(StateOf(old_), State::kMissing);
  EXPECT_TRUE(Trusts(old_));
  Observe({old_.Dnskey(), new_.Dnskey()}, {&new_});
  EXPECT_EQ(StateOf(old_), State::kValid);
}

TEST_F(AnchorTrackerTest, NewKeyThatGoesAwayBeginsAnew) {
  Observe({old_.Dnskey(), new_.Dnskey()}, {&old_});
  now_ += 20 * kDay;
  EXPECT_EQ(Observe({old_.Dnskey()}, {&old_}).size(), 1U);
  EXPECT_EQ(KeysKnown(), 1U);
  Observe({old_.Dnskey(), new_.Dnskey()}, {&old_});
  now_ += 20 * kDay;
  Observe({old_.Dnskey(), new_.Dnskey()}, {&old_});
  EXPECT_FALSE(Trusts(new_));
}

TEST_F(AnchorTrackerTest, KeySignedByNobodyWhoIsTrustedIsNotSeen) {
  EXPECT_TRUE(Observe({old_.Dnskey(), new_.Dnskey()}, {&new_}).empty());
  EXPECT_EQ(KeysKnown(), 1U);
}

TEST_F(AnchorTrackerTest, SigningKeysOfTheZoneAreNoAnchors) {
  const TestSigner zone_signing(".", LDNS_SIGN_ECDSAP256SHA256, 256);
  EXPECT_TRUE(Observe({old_.Dnskey(), zone_signing.Dnskey()}, {&old_}).empty());
}

class RevokedKeyTest : public AnchorTrackerTest {
 protected:
  RevokedKeyTest() { tracker_ = AnchorTracker(Trusting({&old_, &new_}), now_); }

  // The key with its REVOKE bit set.
  static Rdata Revoked(const TestSigner& key) {
    Rdata rdata = key.Dnskey();
    rdata.octets[1] |= 0x80;
    return rdata;
  }
};

TEST_F(RevokedKeyTest, RevocationCountsWhereTheKeyItselfHasSignedIt) {
  Observe({Revoked(old_), new_.Dnskey()}, {&new_});
  EXPECT_NE(StateOf(old_), State::kRevoked) << "anybody who has the new key could say so";
  EXPECT_TRUE(Trusts(old_));

  // Signed by the revoked key as well: its tag is another one now.
  const std::vector<Rdata> keys = {Revoked(old_), new_.Dnskey()};
  const auto revoked_tag = static_cast<uint16_t>(old_.tag() + 128);
  const auto at = static_cast<uint32_t>(now_.time_since_epoch() / std::chrono::seconds(1));
  const Octets octets =
      MessageBuilder(1)
          .Flags(header_flag::kQr)
          .Question(".", rr_type::kDnskey)
          .Answer(".", 172'800, keys[0])
          .Answer(".", 172'800, keys[1])
          .Answer(".", 172'800, new_.Sign(".", 172'800, keys, {.inception = at - 3'600, .expiration = at + 86'400}))
          .Answer(".", 172'800,
                  old_.Sign(".", 172'800, keys,
                            {.key_tag = revoked_tag, .inception = at - 3'600, .expiration = at + 86'400}))
          .Build();
  const absl::StatusOr<Message> message = ParseResponse(octets);
  ASSERT_TRUE(message.ok());
  WorkBudget budget;
  const KeysFinding finding =
      JudgeDnskeys(message->scan(), Root(), tracker_.Current().ClosestTo(Root())->signers, now_, budget);
  ASSERT_TRUE(finding.verdict.secure()) << finding.verdict.text;
  EXPECT_EQ(tracker_.Observe(Root(), AnchorTracker::KeysOf(message->scan(), finding, now_), now_).size(), 1U);
  EXPECT_EQ(StateOf(old_), State::kRevoked);
  EXPECT_FALSE(Trusts(old_));

  // For ever, whatever the zone says later.
  now_ += 40 * kDay;
  Observe({old_.Dnskey(), new_.Dnskey()}, {&new_});
  EXPECT_FALSE(Trusts(old_));
}

TEST_F(AnchorTrackerTest, LastKeyThatIsTrustedIsNeverGivenUp) {
  tracker_.Observe(Root(), {{old_.Signer(), old_.Signer(4), true}}, now_);
  EXPECT_TRUE(Trusts(old_));
}

TEST_F(AnchorTrackerTest, GoesOnFromWhatItSaved) {
  Observe({old_.Dnskey(), new_.Dnskey()}, {&old_});
  const std::string saved = tracker_.Save();
  now_ += 29 * kDay;
  AnchorTracker later(Trusting({&old_}), now_);
  ASSERT_TRUE(later.Restore(saved).ok()) << later.Restore(saved);
  tracker_ = later;
  EXPECT_EQ(StateOf(new_), State::kPending);
  now_ += kDay;
  Observe({old_.Dnskey(), new_.Dnskey()}, {&old_});
  EXPECT_TRUE(Trusts(new_)) << "the days before the restart count";
  AnchorTracker last(Trusting({&old_}), now_);
  ASSERT_TRUE(last.Restore(tracker_.Save()).ok());
  tracker_ = last;
  EXPECT_TRUE(Trusts(new_));
}

TEST_F(AnchorTrackerTest, KeyThatWasRevokedStaysSoAfterARestart) {
  AnchorTracker before(Trusting({&old_, &new_}), now_);
  before.Observe(Root(), {{old_.Signer(), old_.Signer(4), true}, {new_.Signer(), new_.Signer(4), false}}, now_);
  tracker_ = AnchorTracker(Trusting({&old_, &new_}), now_);
  ASSERT_TRUE(tracker_.Restore(before.Save()).ok());
  EXPECT_FALSE(Trusts(old_));
  EXPECT_TRUE(Trusts(new_));
}

TEST_F(AnchorTrackerTest, KeyThatTheOperatorTrustsNoMoreDoesNotComeBack) {
  const AnchorTracker before(Trusting({&old_, &new_}), now_);
  tracker_ = AnchorTracker(Trusting({&old_}), now_);
  ASSERT_TRUE(tracker_.Restore(before.Save()).ok());
  EXPECT_TRUE(Trusts(old_));
  EXPECT_FALSE(Trusts(new_));
}

// It may have been compromised, and what it vouched for with it.
TEST_F(AnchorTrackerTest, WhatItVouchedForDoesNotComeBackEither) {
  Observe({old_.Dnskey(), new_.Dnskey()}, {&old_});
  now_ += 30 * kDay;
  Observe({old_.Dnskey(), new_.Dnskey()}, {&old_});
  ASSERT_TRUE(Trusts(new_));
  const TestSigner another(".");
  AnchorTracker after(Trusting({&another}), now_);
  ASSERT_TRUE(after.Restore(tracker_.Save()).ok());
  tracker_ = after;
  EXPECT_TRUE(Trusts(another));
  EXPECT_FALSE(Trusts(new_));
  EXPECT_EQ(KeysKnown(), 1U);
}

TEST_F(AnchorTrackerTest, AnchorWithAnotherDigestIsTheSameKey) {
  TrustAnchors anchors;
  anchors.Add(Root(), old_.Signer(4));
  tracker_ = AnchorTracker(anchors, now_);
  EXPECT_TRUE(Observe({old_.Dnskey()}, {&old_}).empty());
  EXPECT_EQ(KeysKnown(), 1U);
}

TEST_F(AnchorTrackerTest, TornAndForeignFilesChangeNothing) {
  Observe({old_.Dnskey(), new_.Dnskey()}, {&old_});
  const std::string saved = tracker_.Save();
  const auto refused = [&](const std::string& text) {
    AnchorTracker fresh(Trusting({&old_}), now_);
    const bool ok = fresh.Restore(text).ok();
    return !ok && fresh.Save() == AnchorTracker(Trusting({&old_}), now_).Save();
  };
  for (size_t octets = 0; octets < saved.size(); ++octets) EXPECT_TRUE(refused(saved.substr(0, octets))) << octets;
  for (size_t at = 0; at < saved.size(); ++at) {
    std::string flipped = saved;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    EXPECT_TRUE(refused(flipped)) << at;
  }
  EXPECT_TRUE(refused("; autotrust trust anchor file\n"));
}

TEST_F(AnchorTrackerTest, FileOfZonesThatAreNotTrustedAnyMoreIsLeftAside) {
  const TestSigner other("other.example.");
  TrustAnchors anchors;
  anchors.Add(*Name::Parse("other.example."), other.Signer());
  ASSERT_TRUE(tracker_.Restore(AnchorTracker(anchors, now_).Save()).ok());
  EXPECT_EQ(tracker_.zones().size(), 1U);
  EXPECT_EQ(KeysKnown(), 1U);
}

}  // namespace
}  // namespace dotward
