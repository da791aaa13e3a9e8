#include "dotward/response_cache.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <random>
#include <string>

#include "base/limits.h"
#include "cache/entry_table.h"
#include "cache/naive_cache.h"
#include "dns/reply.h"
#include "testing/manual_clock.h"
#include "testing/messages.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

struct Question {
  std::string name;
  uint16_t type = rr_type::kA;
  uint16_t klass = rr_class::kIn;
  bool dnssec_ok = false;
  bool checking_disabled = false;
};

// A cache with a clock, asked and filled in presentation form.
class ResponseCacheTest : public testing::Test {
 protected:
  ImagePtr Image(const Question& question, ResponseKind kind = ResponseKind::kPositive, uint32_t ttl = 300,
                 size_t data_octets = 0, bool behind_alias = false) {
    return MakeImage(MakeQuestion(WireName(question.name), question.type, question.klass), kind, behind_alias, ttl,
                     data_octets, 0, clock_.Now());
  }
  // Returns what was inserted, to compare with what is found.
  const ResponseImage* Insert(const Question& question, ResponseKind kind = ResponseKind::kPositive, uint32_t ttl = 300,
                              size_t data_octets = 0, bool behind_alias = false) {
    ImagePtr image = Image(question, kind, ttl, data_octets, behind_alias);
    const ResponseImage* const raw = image.get();
    InsertAs(question, std::move(image));
    return raw;
  }
  void InsertAs(const Question& question, ImagePtr image) {
    const Octets name = WireName(question.name);
    cache_->Insert(KeyOf(question, name), std::move(image), clock_.Now());
  }
  std::optional<CachedResponse> Lookup(const Question& question) {
    const Octets name = WireName(question.name);
    return cache_->Lookup(KeyOf(question, name), clock_.Now());
  }
  std::optional<CachedResponse> LookupStale(const Question& question) {
    const Octets name = WireName(question.name);
    return cache_->LookupStale(KeyOf(question, name), clock_.Now());
  }
  const ResponseImage* Find(const Question& question) {
    const std::optional<CachedResponse> found = Lookup(question);
    return found ? found->image.get() : nullptr;
  }
  ResponseCache::Statistics Total() const { return cache_->Total(clock_.Now()); }
  // Starts over with another cache.
  void Use(size_t octets_max, size_t shards = 1) {
    cache_ = std::make_unique<ResponseCache>(
        ResponseCache::Options{.octets_max = octets_max, .shards = shards, .hash_seed = 0x5eed});
  }

  ManualClock clock_;

 private:
  static CacheKey KeyOf(const Question& question, const Octets& name) {
    return {name, question.type, question.klass, question.dnssec_ok, question.checking_disabled};
  }
  std::unique_ptr<ResponseCache> cache_ =
      std::make_unique<ResponseCache>(ResponseCache::Options{.octets_max = size_t{1} << 20U, .shards = 1});

 protected:
  ResponseCache& cache() { return *cache_; }
};

using PromiseC1 = ResponseCacheTest;
using PromiseC2 = ResponseCacheTest;
using PromiseC5 = ResponseCacheTest;
using PromiseC7 = ResponseCacheTest;
using PromiseC8 = ResponseCacheTest;
using PromiseA7 = ResponseCacheTest;
using PromiseC10 = ResponseCacheTest;
using PromiseC11 = ResponseCacheTest;
using PromiseX4 = ResponseCacheTest;
using PromiseQ9 = ResponseCacheTest;

TEST_F(PromiseC1, AgeIsInWholeSecondsSinceTheResponseWasReceived) {
  Insert({"www.example."});
  EXPECT_EQ(Lookup({"www.example."})->age_seconds, 0U);
  clock_.Advance(milliseconds(999));
  EXPECT_EQ(Lookup({"www.example."})->age_seconds, 0U);
  clock_.Advance(milliseconds(1));
  EXPECT_EQ(Lookup({"www.example."})->age_seconds, 1U);
  clock_.Advance(seconds(298));
  EXPECT_EQ(Lookup({"www.example."})->age_seconds, 299U);
}

TEST_F(PromiseC1, AgeCountsFromReceptionEvenWhereTheInsertCameLater) {
  ImagePtr image = Image({"www.example."});
  clock_.Advance(seconds(7));
  InsertAs({"www.example."}, std::move(image));
  EXPECT_EQ(Lookup({"www.example."})->age_seconds, 7U);
  clock_.Advance(seconds(293));
  EXPECT_FALSE(Lookup({"www.example."}));
}

TEST_F(PromiseC1, EntryIsGoneAtExactlyItsExpiryAndNotANanosecondBefore) {
  Insert({"www.example."});
  clock_.Advance(seconds(300) - nanoseconds(1));
  ASSERT_TRUE(Lookup({"www.example."}));
  EXPECT_EQ(Lookup({"www.example."})->age_seconds, 299U);
  clock_.Advance(nanoseconds(1));
  EXPECT_FALSE(Lookup({"www.example."}));
}

TEST_F(PromiseC1, ClockOfAnotherThreadThatRunsBehindNeverWrapsTheAge) {
  ImagePtr image = Image({"www.example."});
  const Octets name = WireName("www.example.");
  cache().Insert({name, rr_type::kA}, std::move(image), clock_.Now());
  const std::optional<CachedResponse> found = cache().Lookup({name, rr_type::kA}, clock_.Now() - seconds(5));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->age_seconds, 0U);
  EXPECT_EQ(cache().Total(clock_.Now() - seconds(6)).lru_age_seconds, 0U);
}

TEST_F(PromiseC1, LongestTtlThereIsDoesNotWrap) {
  // It counts as four years, which is far more than any max_ttl.
  Insert({"www.example."}, ResponseKind::kPositive, 0x7fff'ffff);
  clock_.Advance(seconds(ResponseImage::kLifetimeSecondsMax - 1));
  ASSERT_TRUE(Lookup({"www.example."}));
  EXPECT_EQ(Lookup({"www.example."})->age_seconds, ResponseImage::kLifetimeSecondsMax - 1);
  clock_.Advance(seconds(1));
  EXPECT_FALSE(Lookup({"www.example."}));
  clock_.Advance(seconds(ResponseImage::kLifetimeSecondsMax - 1));
  EXPECT_FALSE(Lookup({"www.example."})) << "four years later";
}

// The whole way of an answer: parsed, classified, stored, aged by the cache, rendered.
TEST_F(PromiseC1, RepliesFromTheCacheHaveEachTtlLessTheAge) {
  const Octets octets = MessageBuilder(1)
                            .Flags(header_flag::kQr | header_flag::kRa)
                            .Question("www.example.", rr_type::kA)
                            .Answer("www.example.", 300, Cname("web.example."))
                            .Answer("web.example.", 120, A("192.0.2.1"))
                            .Build();
  const absl::StatusOr<Message> response = ParseResponse(octets);
  ASSERT_TRUE(response.ok());
  absl::StatusOr<ImagePtr> image =
      ResponseImage::Build(*response, ClassifyResponse(*response, TtlPolicy{}), "quad9", clock_.Now());
  ASSERT_TRUE(image.ok());
  InsertAs({"www.example."}, *std::move(image));
  clock_.Advance(milliseconds(119'999));
  const std::optional<CachedResponse> found = Lookup({"www.example."});
  ASSERT_TRUE(found);
  const Octets question = MakeQuestion(WireName("www.example."), rr_type::kA, rr_class::kIn);
  Octets reply(512);
  reply.resize(RenderReply(*found->image, {.question = question, .octets_max = 512}, found->age_seconds, {}, reply));
  const MessageRead read = MustReadMessage(reply);
  ASSERT_EQ(read.answers.size(), 2U);
  EXPECT_EQ(read.answers[0].ttl, 181U);
  EXPECT_EQ(read.answers[1].ttl, 1U);
  clock_.Advance(milliseconds(1));
  EXPECT_FALSE(Lookup({"www.example."}));
}

TEST_F(PromiseC2, TtlZeroIsNotStored) {
  Insert({"www.example."}, ResponseKind::kPositive, 0);
  EXPECT_FALSE(Lookup({"www.example."}));
  EXPECT_EQ(Total().entries, 0U);
  EXPECT_EQ(Total().insertions, 0U);
}

TEST_F(PromiseC2, TtlOneLivesOneSecond) {
  Insert({"www.example."}, ResponseKind::kPositive, 1);
  clock_.Advance(seconds(1) - nanoseconds(1));
  EXPECT_TRUE(Lookup({"www.example."}));
  clock_.Advance(nanoseconds(1));
  EXPECT_FALSE(Lookup({"www.example."}));
}

TEST_F(PromiseC2, WhatHasExpiredOnTheWayIsNotStored) {
  ImagePtr image = Image({"www.example."}, ResponseKind::kPositive, 2);
  clock_.Advance(seconds(2));
  InsertAs({"www.example."}, std::move(image));
  EXPECT_EQ(Total().entries, 0U);
}

// Nothing happens at all: the answer that is there lives on.
TEST_F(PromiseC2, TtlZeroDoesNotEndAnEarlierAnswer) {
  const ResponseImage* const earlier = Insert({"www.example."});
  Insert({"www.example."}, ResponseKind::kPositive, 0);
  EXPECT_EQ(Find({"www.example."}), earlier);
}

TEST_F(PromiseC5, NxdomainAnswersEveryTypeOfTheName) {
  const ResponseImage* const image = Insert({"no.example.", rr_type::kA}, ResponseKind::kNxDomain);
  for (const uint16_t type : {rr_type::kA, rr_type::kAaaa, rr_type::kMx, uint16_t{0}, uint16_t{65535}}) {
    EXPECT_EQ(Find({"no.example.", type}), image) << type;
  }
  EXPECT_EQ(Total().entries, 1U);
}

TEST_F(PromiseC5, NxdomainIsAboutItsNameClassDoAndCdAlone) {
  Insert({"no.example."}, ResponseKind::kNxDomain);
  EXPECT_FALSE(Lookup({"example."}));
  EXPECT_FALSE(Lookup({"below.no.example."}));
  EXPECT_FALSE(Lookup({"no.example.", rr_type::kA, rr_class::kCh}));
  EXPECT_FALSE(Lookup({"no.example.", rr_type::kA, rr_class::kIn, true}));
  EXPECT_FALSE(Lookup({"no.example.", rr_type::kA, rr_class::kIn, false, true}));
}

TEST_F(PromiseC5, NodataIsAboutItsTypeAlone) {
  Insert({"www.example.", rr_type::kAaaa}, ResponseKind::kNoData);
  EXPECT_TRUE(Lookup({"www.example.", rr_type::kAaaa}));
  EXPECT_FALSE(Lookup({"www.example.", rr_type::kA}));
}

TEST_F(PromiseC5, NxdomainBehindAnAliasIsAboutItsTypeAlone) {
  Insert({"alias.example."}, ResponseKind::kNxDomain, 300, 0, true);
  EXPECT_TRUE(Lookup({"alias.example.", rr_type::kA}));
  EXPECT_FALSE(Lookup({"alias.example.", rr_type::kAaaa}));
}

TEST_F(PromiseC5, NxdomainReplacesWhatWasKnownOfTheName) {
  for (const uint16_t type : {rr_type::kA, rr_type::kAaaa, rr_type::kMx}) Insert({"gone.example.", type});
  const ResponseImage* const elsewhere = Insert({"gone.example.", rr_type::kA, rr_class::kIn, true});
  const ResponseImage* const nxdomain = Insert({"gone.example.", rr_type::kTxt}, ResponseKind::kNxDomain, 60);
  EXPECT_EQ(Total().entries, 2U);
  EXPECT_EQ(Find({"gone.example.", rr_type::kA}), nxdomain);
  EXPECT_EQ(Find({"gone.example.", rr_type::kA, rr_class::kIn, true}), elsewhere);
  // And the older answers, though they would have lived longer, do not come back when the NXDOMAIN is over.
  clock_.Advance(seconds(60));
  EXPECT_FALSE(Lookup({"gone.example.", rr_type::kA}));
}

TEST_F(PromiseC5, AnswerEndsANxdomainOfItsName) {
  for (const ResponseKind kind : {ResponseKind::kPositive, ResponseKind::kNoData}) {
    Insert({"new.example.", rr_type::kA}, ResponseKind::kNxDomain);
    const ResponseImage* const answer = Insert({"new.example.", rr_type::kAaaa}, kind);
    EXPECT_EQ(Find({"new.example.", rr_type::kAaaa}), answer);
    EXPECT_FALSE(Lookup({"new.example.", rr_type::kA}));
  }
  // A name with an alias exists, whether its target does or not.
  Insert({"new.example.", rr_type::kA}, ResponseKind::kNxDomain);
  Insert({"new.example.", rr_type::kMx}, ResponseKind::kNxDomain, 300, 0, true);
  EXPECT_FALSE(Lookup({"new.example.", rr_type::kA}));
  EXPECT_TRUE(Lookup({"new.example.", rr_type::kMx}));
}

TEST_F(PromiseC7, DoAndCdAreFourDifferentCaches) {
  const ResponseImage* images[4];
  for (unsigned bits = 0; bits < 4; ++bits) {
    const Question question{"www.example.", rr_type::kA, rr_class::kIn, (bits & 1U) != 0, (bits & 2U) != 0};
    EXPECT_FALSE(Lookup(question)) << bits;
    images[bits] = Insert(question);
  }
  for (unsigned bits = 0; bits < 4; ++bits) {
    EXPECT_EQ(Find({"www.example.", rr_type::kA, rr_class::kIn, (bits & 1U) != 0, (bits & 2U) != 0}), images[bits]);
  }
}

TEST_F(PromiseC10, RecordsOfOtherNamesNeverAnswerThem) {
  const Octets octets = MessageBuilder(1)
                            .Flags(header_flag::kQr | header_flag::kRa)
                            .Question("www.example.", rr_type::kMx)
                            .Answer("www.example.", 300, Mx(10, "mail.example."))
                            .Authority("example.", 300, Ns("ns.example."))
                            .Additional("mail.example.", 300, A("192.0.2.1"))
                            .Build();
  const absl::StatusOr<Message> response = ParseResponse(octets);
  ASSERT_TRUE(response.ok());
  absl::StatusOr<ImagePtr> image =
      ResponseImage::Build(*response, ClassifyResponse(*response, TtlPolicy{}), "quad9", clock_.Now());
  ASSERT_TRUE(image.ok());
  InsertAs({"www.example.", rr_type::kMx}, *std::move(image));
  EXPECT_TRUE(Lookup({"www.example.", rr_type::kMx}));
  EXPECT_FALSE(Lookup({"mail.example.", rr_type::kA}));
  EXPECT_FALSE(Lookup({"example.", rr_type::kNs}));
}

TEST_F(PromiseC10, ImageOfAnotherQuestionIsNotStored) {
  InsertAs({"www.example."}, Image({"evil.example."}));
  InsertAs({"www.example."}, Image({"www.example.", rr_type::kAaaa}));
  InsertAs({"www.example."}, Image({"www.example.", rr_type::kA, rr_class::kCh}));
  InsertAs({"www.example."}, Image({"www.example.net."}));
  InsertAs({"www.example."}, Image({"www."}));
  InsertAs({"www.example."}, ImagePtr());
  EXPECT_EQ(Total().entries, 0U);
}

TEST_F(PromiseX4, HitNeverExtendsAnExpiry) {
  Insert({"ghost.example."}, ResponseKind::kPositive, 10);
  for (int second = 0; second < 10; ++second) {
    EXPECT_TRUE(Lookup({"ghost.example."}));
    clock_.Advance(seconds(1));
  }
  EXPECT_FALSE(Lookup({"ghost.example."}));
}

TEST_F(PromiseX4, InsertReplacesAndNeverMerges) {
  Insert({"www.example."}, ResponseKind::kPositive, 1000);
  const ResponseImage* const newer = Insert({"WWW.example."}, ResponseKind::kPositive, 10);
  EXPECT_EQ(Total().entries, 1U);
  EXPECT_EQ(Find({"www.example."}), newer);
  clock_.Advance(seconds(10));
  EXPECT_FALSE(Lookup({"www.example."}));
}

TEST_F(PromiseQ9, CacheDoesNotSeeCase) {
  const ResponseImage* const image = Insert({"MiXeD.ExAmPlE."});
  EXPECT_EQ(Find({"mixed.example."}), image);
  EXPECT_EQ(Find({"MIXED.EXAMPLE."}), image);
  EXPECT_EQ(Find({"mIxEd.eXaMpLe."}), image);
  // Octets that differ from letters by the same bit are not letters: "@[" and "`{".
  Insert({"a@[b."});
  EXPECT_FALSE(Lookup({"a`{b."}));
  EXPECT_TRUE(Lookup({"A@[B."}));
}

TEST_F(ResponseCacheTest, ShortestAndLongestNamesAreNamesLikeOthers) {
  const std::string longest =
      std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." + std::string(61, 'd') + ".";
  ASSERT_EQ(WireName(longest).size(), kNameOctetsMax);
  const ResponseImage* const root = Insert({"."});
  const ResponseImage* const deep = Insert({longest});
  EXPECT_EQ(Find({"."}), root);
  EXPECT_EQ(Find({longest}), deep);
}

TEST_F(PromiseC11, ExpiredEntriesGoBeforeLiveOnesThenTheLeastUseful) {
  constexpr size_t kData = 1000;
  Use(64 << 10);
  // Fill until the next one would not fit: long-lived ones first, so that by use they would be the first to go.
  size_t count = 0;
  while (Total().octets + 3 * kData + EntryTable::kBlockOctets <= cache().octets_max()) {
    const bool short_lived = count >= 10 && count < 15;
    Insert({std::to_string(count) + ".example."}, ResponseKind::kPositive, short_lived ? 10 : 1000, kData);
    ++count;
  }
  ASSERT_GT(count, 25U);
  ASSERT_EQ(Total().evictions, 0U);
  clock_.Advance(seconds(10));

  // One answer so large that the five expired entries are not enough: the oldest that nobody has used follow.
  Insert({"big.example."}, ResponseKind::kPositive, 1000, 12 * kData);
  EXPECT_EQ(Total().expired, 5U);
  const uint64_t evicted = Total().evictions;
  ASSERT_GE(evicted, 1U);
  ASSERT_LE(evicted, 8U);
  const size_t entries = Total().entries;
  EXPECT_EQ(entries, count + 1 - 5 - evicted);
  for (size_t i = 0; i < count; ++i) {
    const bool expected = i >= evicted && (i < 10 || i >= 15);
    // Asking changes what goes next, but nothing is inserted until all have been asked.
    EXPECT_EQ(Lookup({std::to_string(i) + ".example."}).has_value(), expected) << i;
  }
  EXPECT_TRUE(Lookup({"big.example."}));
}

TEST_F(PromiseC11, LookupKeepsAnEntryWhileTheOthersGo) {
  Use(16 << 10);
  size_t count = 0;
  for (; Total().evictions == 0; ++count) {
    Insert({std::to_string(count) + ".example."}, ResponseKind::kPositive, 300, 500);
    Lookup({"0.example."});
  }
  EXPECT_TRUE(Lookup({"0.example."}));
  EXPECT_FALSE(Lookup({"1.example."}));
  EXPECT_TRUE(Lookup({"2.example."}));
}

// RFC 8198's worst friend: names that nobody asks for twice.
TEST_F(PromiseA7, NamesThatAreNeverAskedForAgainDoNotPushOutThoseThatAre) {
  Use(64 << 10);
  for (int n = 0; n < 60; ++n) Insert({std::to_string(n) + ".example."}, ResponseKind::kPositive, 3000, 100);
  for (int n = 0; n < 60; ++n) ASSERT_TRUE(Lookup({std::to_string(n) + ".example."})) << n;
  // A hundred times what the cache holds, with nobody asking for the others meanwhile.
  for (int n = 0; n < 20'000; ++n) {
    Insert({"x" + std::to_string(n) + ".flood.example."}, ResponseKind::kNxDomain, 3000, 100);
  }
  ASSERT_GT(Total().evictions, 19'000U);
  for (int n = 0; n < 60; ++n) EXPECT_TRUE(Lookup({std::to_string(n) + ".example."})) << n;
}

TEST_F(PromiseC11, AnswerThatReplacesAnotherIsInUse) {
  Use(16 << 10);
  Insert({"kept.example."}, ResponseKind::kPositive, 3000, 500);
  Insert({"kept.example."}, ResponseKind::kPositive, 3000, 500);
  for (int n = 0; Total().evictions == 0; ++n) {
    Insert({std::to_string(n) + ".example."}, ResponseKind::kPositive, 3000, 500);
  }
  EXPECT_TRUE(Lookup({"kept.example."}));
  EXPECT_FALSE(Lookup({"0.example."}));
}

TEST_F(PromiseC8, WhatHasExpiredIsStaleAsLongAsItMayBeAndNoLonger) {
  cache().SetStaleMaxAge(seconds(600));
  const ResponseImage* const image = Insert({"www.example."});
  clock_.Advance(seconds(299));
  EXPECT_FALSE(LookupStale({"www.example."})) << "fresh";
  clock_.Advance(seconds(1));
  EXPECT_FALSE(Lookup({"www.example."}));
  ASSERT_TRUE(LookupStale({"www.example."}));
  EXPECT_EQ(LookupStale({"www.example."})->image.get(), image);
  EXPECT_EQ(LookupStale({"www.example."})->age_seconds, 300U);
  clock_.Advance(seconds(600) - milliseconds(125));
  EXPECT_TRUE(LookupStale({"www.example."}));
  clock_.Advance(milliseconds(125));
  EXPECT_FALSE(LookupStale({"www.example."}));
}

TEST_F(PromiseC8, WhatMayBeGivenStaleIsKeptUntilItsSpaceIsWanted) {
  cache().SetStaleMaxAge(seconds(600));
  Insert({"www.example."});
  clock_.Advance(seconds(400));
  for (int n = 0; n < 20; ++n) Insert({std::to_string(n) + ".example."});
  EXPECT_TRUE(LookupStale({"www.example."}));
  EXPECT_EQ(Total().expired, 0U);
  Use(16 << 10);
  cache().SetStaleMaxAge(seconds(600));
  Insert({"www.example."});
  clock_.Advance(seconds(400));
  for (int n = 0; Total().evictions == 0 && Total().expired == 0; ++n) Insert({std::to_string(n) + ".example."});
  EXPECT_FALSE(LookupStale({"www.example."})) << "expired entries go first";
}

TEST_F(PromiseC8, NothingIsStaleWhereThatIsOff) {
  Insert({"www.example."});
  clock_.Advance(seconds(300));
  EXPECT_FALSE(LookupStale({"www.example."}));
}

TEST_F(PromiseC8, RealNxdomainReplacesStaleData) {
  cache().SetStaleMaxAge(seconds(600));
  Insert({"www.example."});
  Insert({"www.example.", rr_type::kAaaa});
  clock_.Advance(seconds(301));
  Insert({"www.example."}, ResponseKind::kNxDomain);
  EXPECT_FALSE(LookupStale({"www.example.", rr_type::kAaaa}));
  ASSERT_TRUE(Lookup({"www.example.", rr_type::kAaaa}));
  EXPECT_EQ(Lookup({"www.example.", rr_type::kAaaa})->image->kind(), ResponseKind::kNxDomain);
}

TEST_F(ResponseCacheTest, EntryInUseIsDueForARefreshOnceInItsLastTenth) {
  Insert({"www.example."});
  Insert({"seldom.example."});
  EXPECT_FALSE(Lookup({"www.example."})->refresh_due);
  EXPECT_FALSE(Lookup({"www.example."})->refresh_due);
  EXPECT_FALSE(Lookup({"seldom.example."})->refresh_due);
  clock_.Advance(seconds(270) - milliseconds(125));
  EXPECT_FALSE(Lookup({"www.example."})->refresh_due) << "it has more than a tenth to live";
  clock_.Advance(milliseconds(125));
  EXPECT_TRUE(Lookup({"www.example."})->refresh_due);
  EXPECT_FALSE(Lookup({"www.example."})->refresh_due) << "once";
  EXPECT_FALSE(Lookup({"seldom.example."})->refresh_due) << "the second time it is asked for";
  Insert({"www.example."});
  EXPECT_FALSE(Lookup({"www.example."})->refresh_due) << "a new life";
}

TEST_F(ResponseCacheTest, RestoresWhatHasNoBetterAndNeedsNoSpaceOfOthers) {
  cache().SetStaleMaxAge(seconds(600));
  const Octets name = WireName("www.example.");
  const CacheKey key{name, rr_type::kA};
  const ImagePtr old = Image({"www.example."});
  clock_.Advance(seconds(500));
  EXPECT_TRUE(cache().Restore(key, old, clock_.Now()));
  EXPECT_TRUE(LookupStale({"www.example."}));
  EXPECT_FALSE(cache().Restore(key, old, clock_.Now())) << "it is there";
  const ResponseImage* const fresh = Insert({"www.example."});
  EXPECT_FALSE(cache().Restore(key, old, clock_.Now()));
  EXPECT_EQ(Find({"www.example."}), fresh);
  EXPECT_EQ(Total().insertions, 1U);
  clock_.Advance(seconds(400));
  const Octets other = WireName("other.example.");
  EXPECT_FALSE(cache().Restore({other, rr_type::kA}, old, clock_.Now())) << "of another question";
  cache().FlushName(name);
  EXPECT_FALSE(cache().Restore(key, old, clock_.Now())) << "too old to be of use";
}

TEST_F(PromiseC5, NxdomainIsNotAboutDsWhichIsTheParents) {
  Insert({"www.example."}, ResponseKind::kNxDomain);
  EXPECT_FALSE(Lookup({"www.example.", rr_type::kDs}));
  const ResponseImage* const image = Insert({"www.example.", rr_type::kDs}, ResponseKind::kNxDomain);
  EXPECT_EQ(Find({"www.example.", rr_type::kDs}), image);
  EXPECT_NE(Find({"www.example.", rr_type::kMx}), image) << "and the parent's is not about the others";
}

TEST_F(PromiseC11, ReplacingAnEntryCountsItsOldOctetsNoMore) {
  Insert({"www.example."}, ResponseKind::kPositive, 300, 5'000);
  Insert({"www.example."}, ResponseKind::kPositive, 300, 100);
  const size_t small = Total().octets;
  Insert({"www.example."}, ResponseKind::kPositive, 300, 5'000);
  Insert({"www.example."}, ResponseKind::kPositive, 300, 100);
  EXPECT_EQ(Total().octets, small);
  EXPECT_EQ(Total().evictions, 0U);
}

TEST_F(PromiseC11, MegabyteHoldsTheLongestAnswer) {
  Use(size_t{1} << 20U, 64);
  const size_t data = kMessageOctetsMax - kHeaderOctets - WireName("large.example.").size() - 4 - 12 - 5;
  const ResponseImage* const image = Insert({"large.example."}, ResponseKind::kPositive, 300, data);
  ASSERT_EQ(image->octets().size(), kMessageOctetsMax);
  EXPECT_EQ(Find({"large.example."}), image);
  EXPECT_EQ(cache().PerShard(clock_.Now()).size(), 8U);
}

TEST_F(PromiseC11, ImageOverItsShardsShareIsNotStoredButEndsWhatItReplaces) {
  Use(16 << 10);
  Insert({"other.example."});
  Insert({"large.example."});
  Insert({"large.example."}, ResponseKind::kPositive, 300, 20'000);
  EXPECT_FALSE(Lookup({"large.example."}));
  EXPECT_TRUE(Lookup({"other.example."}));
  EXPECT_EQ(Total().evictions, 0U);
}

TEST_F(PromiseC11, ShardsAreAPowerOfTwoThatTheMemoryCanAfford) {
  const auto shards = [this](size_t octets_max, size_t wanted) {
    Use(octets_max, wanted);
    return cache().PerShard(clock_.Now()).size();
  };
  EXPECT_EQ(shards(Limits::kCacheShardOctetsMin - 1, 64), 1U);
  EXPECT_EQ(shards(Limits::kCacheShardOctetsMin * 2 - 1, 64), 1U);
  EXPECT_EQ(shards(Limits::kCacheShardOctetsMin * 2, 64), 2U);
  EXPECT_EQ(shards(Limits::kCacheShardOctetsMin * 7, 64), 4U);
  EXPECT_EQ(shards(size_t{64} << 20U, 64), 64U);
  EXPECT_EQ(shards(size_t{64} << 20U, 33), 32U);
  EXPECT_EQ(shards(size_t{64} << 20U, 0), 1U);
}

TEST_F(PromiseC11, NoBudgetHoldsNothingAndNothingBreaks) {
  Use(0, 64);
  Insert({"www.example."});
  EXPECT_FALSE(Lookup({"www.example."}));
  EXPECT_EQ(Total().entries, 0U);
}

TEST_F(PromiseC11, MemoryStaysWithinTheBoundUnderRandomLoads) {
  std::mt19937_64 random(11);
  for (const size_t octets_max : {size_t{100'000}, size_t{300'000}, size_t{1} << 20U, size_t{3} << 20U}) {
    Use(octets_max, 64);
    size_t most = 0;
    for (int i = 0; i < 15'000; ++i) {
      const size_t data = random() % 100 == 0 ? random() % 60'000 : random() % 300;
      const ResponseKind kind = random() % 8 == 0 ? ResponseKind::kNxDomain : ResponseKind::kPositive;
      Insert({std::to_string(random() % 10'000) + ".example.", static_cast<uint16_t>(random() % 20)}, kind,
             static_cast<uint32_t>(1 + random() % 1000), data);
      if (random() % 16 == 0) clock_.Advance(seconds(1));
      if (i % 16 == 0) {
        most = std::max(most, Total().octets);
        ASSERT_LE(most, octets_max);
      }
    }
    EXPECT_GT(most, octets_max / 10 * 7) << "the memory that was granted is used";
    EXPECT_GT(Total().evictions, 0U);
  }
}

// The figure is held against the allocator's own. Sanitizers bring an allocator that tells nothing.
TEST_F(PromiseC11, CountedOctetsAreWhatTheAllocatorHandsOut) {
  const auto in_use = [] {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  const size_t before = in_use();
  Use(size_t{8} << 20U, 64);
  if (in_use() == before) GTEST_SKIP() << "this allocator does not report";
  std::mt19937_64 random(12);
  for (int i = 0; i < 100'000; ++i) {
    Insert({std::to_string(random() % 50'000) + ".example."}, ResponseKind::kPositive, 300, random() % 200);
  }
  ASSERT_GT(Total().evictions, 0U);
  const auto allocated = static_cast<double>(in_use() - before);
  const auto counted = static_cast<double>(Total().octets);
  EXPECT_GT(counted, 0.98 * allocated);
  EXPECT_LT(counted, 1.02 * allocated);
}

TEST_F(PromiseC11, LimitOfEntriesForOneNameDropsTheFirstThatWasStored) {
  const auto type = [](size_t i) { return static_cast<uint16_t>(1000 + i); };
  for (size_t i = 0; i < Limits::kCacheEntriesPerNameMax; ++i) Insert({"many.example.", type(i)});
  Insert({"other.example."});
  EXPECT_EQ(Total().entries, Limits::kCacheEntriesPerNameMax + 1);
  EXPECT_TRUE(Lookup({"many.example.", type(0)}));
  // In the same place: another entry of the name is none more.
  Insert({"many.example.", type(5)});
  EXPECT_EQ(Total().evictions, 0U);
  Insert({"MANY.example.", rr_type::kA, rr_class::kIn, true});
  EXPECT_EQ(Total().entries, Limits::kCacheEntriesPerNameMax + 1);
  EXPECT_EQ(Total().evictions, 1U);
  EXPECT_FALSE(Lookup({"many.example.", type(0)}));
  EXPECT_TRUE(Lookup({"many.example.", type(1)}));
  EXPECT_TRUE(Lookup({"other.example."}));
}

TEST_F(PromiseC11, InsertClearsAwayAFewExpiredEntriesUnasked) {
  for (int i = 0; i < 10; ++i) Insert({std::to_string(i) + ".example."}, ResponseKind::kPositive, 10);
  clock_.Advance(seconds(10));
  EXPECT_EQ(Total().entries, 10U);
  Insert({"new.example."});
  EXPECT_EQ(Total().expired, Limits::kCacheExpiredPerInsert);
  EXPECT_EQ(Total().entries, 11 - Limits::kCacheExpiredPerInsert);
}

TEST_F(ResponseCacheTest, CountsHitsMissesInsertionsEvictionsAndExpiry) {
  Lookup({"www.example."});
  Insert({"www.example."}, ResponseKind::kPositive, 10);
  Lookup({"www.example."});
  Lookup({"www.example."});
  clock_.Advance(seconds(10));
  Lookup({"www.example."});
  Insert({"www.example."}, ResponseKind::kPositive, 10);
  const ResponseCache::Statistics total = Total();
  EXPECT_EQ(total.entries, 1U);
  EXPECT_EQ(total.hits, 2U);
  EXPECT_EQ(total.misses, 2U);
  EXPECT_EQ(total.insertions, 2U);
  EXPECT_EQ(total.evictions, 0U);
  EXPECT_EQ(total.expired, 1U);
}

// Whoever waited for another's exchange looks again; it was counted when it missed.
TEST_F(ResponseCacheTest, RecheckFindsTheSameAndCountsNothing) {
  const Octets name = WireName("www.example.");
  EXPECT_FALSE(cache().Lookup({name, rr_type::kA}, clock_.Now(), LookupPurpose::kRecheck));
  const ResponseImage* const image = Insert({"www.example."});
  const auto found = cache().Lookup({name, rr_type::kA}, clock_.Now(), LookupPurpose::kRecheck);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->image.get(), image);
  EXPECT_EQ(Total().hits, 0U);
  EXPECT_EQ(Total().misses, 0U);
}

TEST_F(ResponseCacheTest, TotalIsTheSumOfTheShardsAndTheLongestTimeUnused) {
  Use(size_t{4} << 20U, 16);
  for (int i = 0; i < 200; ++i) {
    Insert({std::to_string(i) + ".example."});
    Lookup({std::to_string(i) + ".example."});
    Lookup({std::to_string(i) + ".example.net."});
    clock_.Advance(seconds(1));
  }
  ResponseCache::Statistics sum;
  const std::vector<ResponseCache::Statistics> shards = cache().PerShard(clock_.Now());
  EXPECT_EQ(shards.size(), 16U);
  for (const ResponseCache::Statistics& shard : shards) {
    EXPECT_GT(shard.entries, 0U);
    sum.entries += shard.entries;
    sum.octets += shard.octets;
    sum.hits += shard.hits;
    sum.misses += shard.misses;
    sum.insertions += shard.insertions;
  }
  EXPECT_EQ(sum.entries, 200U);
  EXPECT_EQ(sum.hits, 200U);
  EXPECT_EQ(sum.misses, 200U);
  EXPECT_EQ(sum.insertions, 200U);
  EXPECT_EQ(Total().entries, 200U);
  EXPECT_EQ(Total().octets, sum.octets);
  EXPECT_EQ(Total().lru_age_seconds, 200U);
  Lookup({"0.example."});
  EXPECT_EQ(Total().lru_age_seconds, 199U);
}

TEST_F(ResponseCacheTest, LruAgeOfNothingIsZero) { EXPECT_EQ(Total().lru_age_seconds, 0U); }

TEST_F(ResponseCacheTest, FoundImageOutlivesItsEntry) {
  Insert({"www.example."});
  const std::optional<CachedResponse> found = Lookup({"www.example."});
  Use(size_t{1} << 20U);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->image->lifetime_seconds(), 300U);
}

}  // namespace
}  // namespace dotward
