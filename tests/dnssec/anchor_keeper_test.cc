#include "dnssec/anchor_keeper.h"

#include <gtest/gtest.h>

#include <asio/io_context.hpp>

#include "dnssec/dnssec_limits.h"
#include "dnssec/test_signer.h"
#include "testing/fake_upstream.h"
#include "testing/manual_clock.h"

namespace dotward {
namespace {

constexpr std::chrono::hours kDay{24};

class AnchorKeeperTest : public testing::Test {
 protected:
  AnchorKeeperTest() { Trust({&old_}); }

  void Trust(const std::vector<const TestSigner*>& keys, std::string_view saved = {}) {
    auto anchors = std::make_shared<TrustAnchors>();
    for (const TestSigner* key : keys) anchors->Add(Name(), key->Signer());
    anchors->AddNegative(*Name::Parse("corp.example."), std::nullopt);
    keeper_.Adopt(anchors, saved);
  }

  // The zone has these keys, signed by the first.
  void Publish(const std::vector<const TestSigner*>& keys) { keys_ = keys; }
  void Look() { Look(keeper_); }
  void Look(AnchorKeeper& keeper) {
    TaskGroup running(loop_);
    running.Spawn(keeper.Look());
    loop_.restart();
    loop_.run();
  }
  bool Trusts(const TestSigner& key) const {
    if (trusted_ == nullptr) return false;
    const DelegationSigners& signers = trusted_->ClosestTo(Name())->signers;
    return std::find(signers.begin(), signers.end(), key.Signer()) != signers.end();
  }

  Octets Answer(const Octets& query) const {
    std::vector<Rdata> keys;
    for (const TestSigner* key : keys_) keys.push_back(key->Dnskey());
    const auto at = static_cast<uint32_t>(clock_.WallNow().time_since_epoch() / std::chrono::seconds(1));
    MessageBuilder builder = MessageBuilder::ResponseTo(query);
    for (const Rdata& key : keys) builder.Answer(".", 172'800, key);
    builder.Answer(".", 172'800,
                   keys_[0]->Sign(".", 172'800, keys, {.inception = at - 3'600, .expiration = at + 86'400}));
    return builder.Build();
  }

  asio::io_context loop_;
  ManualClock clock_;
  const TestSigner old_{"."};
  const TestSigner new_{"."};
  std::vector<const TestSigner*> keys_{&old_};
  std::shared_ptr<const TrustAnchors> trusted_;
  std::string saved_;
  FakeUpstream upstream_{loop_, clock_, [this](const Octets& query) { return Answer(query); }};
  AnchorKeeper keeper_{loop_,
                       upstream_,
                       clock_,
                       {.trust = [this](std::shared_ptr<const TrustAnchors> anchors) { trusted_ = std::move(anchors); },
                        .save = [this](std::string text) { saved_ = std::move(text); }}};
};

TEST_F(AnchorKeeperTest, AsksForTheKeysWithDoAndCd) {
  Look();
  ASSERT_EQ(upstream_.asked().size(), 1U);
  EXPECT_EQ(upstream_.asked()[0].type, rr_type::kDnskey);
  EXPECT_TRUE(upstream_.asked()[0].dnssec_ok);
  EXPECT_TRUE(upstream_.asked()[0].checking_disabled);
  EXPECT_EQ(trusted_, nullptr) << "nothing has changed";
  EXPECT_TRUE(saved_.empty());
}

TEST_F(AnchorKeeperTest, NewKeyIsSavedAtOnceAndTrustedAfterThirtyDays) {
  Publish({&old_, &new_});
  Look();
  EXPECT_FALSE(Trusts(new_));
  EXPECT_NE(saved_.find("pending"), std::string::npos);
  clock_.Advance(30 * kDay);
  Look();
  EXPECT_TRUE(Trusts(new_));
  EXPECT_TRUE(Trusts(old_));
  EXPECT_EQ(trusted_->negatives().size(), 1U) << "negative anchors stay";
}

TEST_F(AnchorKeeperTest, GoesOnFromWhatWasSaved) {
  Publish({&old_, &new_});
  Look();
  clock_.Advance(30 * kDay);
  AnchorKeeper later(loop_, upstream_, clock_,
                     {.trust = [this](std::shared_ptr<const TrustAnchors> anchors) { trusted_ = std::move(anchors); },
                      .save = [](std::string) {}});
  auto anchors = std::make_shared<TrustAnchors>();
  anchors->Add(Name(), old_.Signer());
  later.Adopt(anchors, saved_);
  Look(later);
  EXPECT_TRUE(Trusts(new_));
}

TEST_F(AnchorKeeperTest, TornStateIsIgnored) {
  AnchorKeeper keeper(loop_, upstream_, clock_, {.trust = [](auto) {}, .save = [](const std::string&) {}});
  auto anchors = std::make_shared<TrustAnchors>();
  anchors->Add(Name(), old_.Signer());
  EXPECT_NE(keeper.Adopt(anchors, "dotward trust anchors 1\nvalid 1 . IN"), nullptr);
  Look(keeper);
  EXPECT_EQ(upstream_.asked().size(), 1U);
}

TEST_F(AnchorKeeperTest, WhatIsKnownSurvivesATimeWithoutValidation) {
  Publish({&old_, &new_});
  Look();
  keeper_.Adopt(nullptr);
  clock_.Advance(30 * kDay);
  Trust({&old_});
  Look();
  EXPECT_TRUE(Trusts(new_));
}

TEST_F(AnchorKeeperTest, AReloadInTheMiddleOfALookLosesNothing) {
  const TestSigner corp("corp.");
  auto anchors = std::make_shared<TrustAnchors>();
  anchors->Add(Name(), old_.Signer());
  anchors->Add(*Name::Parse("corp."), corp.Signer());
  keeper_.Adopt(anchors);
  Publish({&old_, &new_});
  upstream_.Hold();
  TaskGroup running(loop_);
  running.Spawn(keeper_.Look());
  loop_.poll();
  upstream_.ReleaseOne();
  loop_.restart();
  loop_.poll();
  EXPECT_TRUE(saved_.empty()) << "the other zone's answer is waited for";
  keeper_.Adopt(nullptr);
  EXPECT_NE(saved_.find("pending"), std::string::npos);
  upstream_.Release();
  loop_.restart();
  loop_.run();
  Look();
  EXPECT_EQ(upstream_.asked().size(), 2U) << "nothing is trusted, so nothing is looked at";
}

TEST_F(AnchorKeeperTest, WhatIsTrustedAnewIsLookedAtSoon) {
  keeper_.Adopt(nullptr);
  Look();
  EXPECT_EQ(keeper_.next_look_in(), DnssecLimits::kAnchorLookRarest);
  keeper_.Start();
  loop_.restart();
  loop_.poll();
  Trust({&old_});
  EXPECT_EQ(keeper_.next_look_in(), DnssecLimits::kAnchorFirstLook);
  loop_.restart();
  loop_.poll();
  EXPECT_TRUE(upstream_.asked().empty()) << "soon, not now";
  keeper_.Close();
  loop_.restart();
  loop_.run();
}

TEST_F(AnchorKeeperTest, WhatIsKnownSurvivesAReload) {
  Publish({&old_, &new_});
  Look();
  clock_.Advance(30 * kDay);
  Trust({&old_});
  Look();
  EXPECT_TRUE(Trusts(new_));
}

TEST_F(AnchorKeeperTest, KeysThatNobodyTrustedVouchesForChangeNothing) {
  Publish({&new_, &old_});
  Look();
  EXPECT_EQ(trusted_, nullptr);
  EXPECT_TRUE(saved_.empty());
}

TEST_F(AnchorKeeperTest, WithoutAnchorsNobodyIsAsked) {
  EXPECT_EQ(keeper_.Adopt(nullptr), nullptr);
  Look();
  EXPECT_TRUE(upstream_.asked().empty());
}

}  // namespace
}  // namespace dotward
