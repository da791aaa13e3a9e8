#include "dns/registrable_domain.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "dns/name.h"
#include "dns/plain_decoder.h"
#include "testing/messages.h"

namespace dotward {
namespace {

using plain::WireOf;

std::string DomainOf(std::string_view name) {
  const absl::StatusOr<Name> parsed = Name::Parse(name);
  if (!parsed.ok()) return std::string(parsed.status().message());
  return NameToString(RegistrableDomain(parsed->wire()));
}

TEST(RegistrableDomainTest, IsThePublicSuffixAndOneLabel) {
  EXPECT_EQ(DomainOf("example.com."), "example.com.");
  EXPECT_EQ(DomainOf("a.b.c.example.com."), "example.com.");
  EXPECT_EQ(DomainOf("www.example.co.uk."), "example.co.uk.");
  EXPECT_EQ(DomainOf("_dmarc.mail.example.org."), "example.org.");
}

TEST(RegistrableDomainTest, FollowsThePrivateSection) {
  EXPECT_EQ(DomainOf("deep.page.someone.github.io."), "someone.github.io.");
  EXPECT_EQ(DomainOf("someone.github.io."), "someone.github.io.");
}

TEST(RegistrableDomainTest, FollowsWildcardsAndExceptions) {
  EXPECT_EQ(DomainOf("www.shop.city-hall.kawasaki.jp."), "shop.city-hall.kawasaki.jp.");
  EXPECT_EQ(DomainOf("www.city.kawasaki.jp."), "city.kawasaki.jp.");
}

TEST(RegistrableDomainTest, ReverseZonesAreSplitByTheirFirstOctet) {
  EXPECT_EQ(DomainOf("4.3.2.10.in-addr.arpa."), "10.in-addr.arpa.");
  EXPECT_EQ(DomainOf("b.a.9.8.2.ip6.arpa."), "2.ip6.arpa.");
}

TEST(RegistrableDomainTest, APublicSuffixTheRootAndASingleLabelAreReturnedWhole) {
  EXPECT_EQ(DomainOf("co.uk."), "co.uk.");
  EXPECT_EQ(DomainOf("github.io."), "github.io.");
  EXPECT_EQ(DomainOf("in-addr.arpa."), "in-addr.arpa.");
  EXPECT_EQ(DomainOf("com."), "com.");
  EXPECT_EQ(DomainOf("printer."), "printer.");
  EXPECT_EQ(DomainOf("."), ".");
}

TEST(RegistrableDomainTest, AnUnknownTopLevelDomainIsAPublicSuffix) {
  EXPECT_EQ(DomainOf("a.b.fritz.box-of-mine."), "fritz.box-of-mine.");
}

TEST(RegistrableDomainTest, CaseDoesNotMatterAndIsKept) { EXPECT_EQ(DomainOf("WWW.eXample.CO.uK."), "eXample.CO.uK."); }

TEST(RegistrableDomainTest, TheResultLiesInTheNameItWasGiven) {
  const Octets wire = WireOf("www.example.co.uk");
  const OctetView domain = RegistrableDomain(wire);
  EXPECT_EQ(domain.data(), wire.data() + 4);
  EXPECT_EQ(domain.size(), wire.size() - 4);
}

TEST(RegistrableDomainTest, OddOctetsNeitherEndTheNameNorPassForADot) {
  // One label "www.example", not two; one label that a NUL would cut; labels that would be rules if they were read.
  EXPECT_EQ(DomainOf("www\\.example.com."), "www\\.example.com.");
  EXPECT_EQ(DomainOf("x.a\\.b.co.uk."), "a\\.b.co.uk.");
  EXPECT_EQ(DomainOf("www.exa\\000mple.co.uk."), "exa\\000mple.co.uk.");
  EXPECT_EQ(DomainOf("a.b.co\\.uk."), "b.co\\.uk.");
  EXPECT_EQ(DomainOf("a.b.com\\000."), "b.com\\000.");
  EXPECT_EQ(DomainOf("x.*.ck."), "x.*.ck.");
}

TEST(RegistrableDomainTest, Utf8IsNotReadAsTheTopLevelDomainItSpells) {
  // Rules outside ASCII are matched by their A-labels, which are what DNS carries (RFC 5891 §4).
  EXPECT_EQ(DomainOf("www.example.xn--55qx5d.cn."), "example.xn--55qx5d.cn.");
  const Octets raw = Join({Hex("03 777777 07"), OctetsOf("example"), Hex("06 E585ACE58FB8 02 636E 00")});
  EXPECT_EQ(RegistrableDomain(raw).size(), raw.size() - 12);
}

TEST(RegistrableDomainTest, LongNamesAreAskedAboutByTheirLastLabels) {
  Octets many;
  while (many.size() + 2 + WireOf("example.co.uk").size() <= kNameOctetsMax) many.insert(many.end(), {1, 'a'});
  const Octets domain = WireOf("example.co.uk");
  many.insert(many.end(), domain.begin(), domain.end());
  ASSERT_GE(many.size(), kNameOctetsMax - 1);
  EXPECT_EQ(RegistrableDomain(many).size(), domain.size());

  Octets wide;
  for (const size_t length : {63U, 63U, 63U, 61U}) {
    wide.push_back(static_cast<uint8_t>(length));
    wide.insert(wide.end(), length, 'b');
  }
  wide.push_back(0);
  ASSERT_EQ(wide.size(), kNameOctetsMax);
  EXPECT_EQ(RegistrableDomain(wide).size(), size_t{1 + 63 + 1 + 61 + 1});

  Octets all_labels;
  for (int i = 0; i < 127; ++i) all_labels.insert(all_labels.end(), {1, 'c'});
  all_labels.push_back(0);
  EXPECT_EQ(RegistrableDomain(all_labels).size(), 5U);
}

TEST(RegistrableDomainTest, NoRuleIsLongerThanWhatTheListIsAskedAbout) {
  // One of the longest rules, and exactly as many labels as are looked at, and one more.
  EXPECT_EQ(DomainOf("b.a.x.compute.amazonaws.com.cn."), "a.x.compute.amazonaws.com.cn.");
  EXPECT_EQ(DomainOf("c.b.a.x.compute.amazonaws.com.cn."), "a.x.compute.amazonaws.com.cn.");
  EXPECT_EQ(DomainOf("d.c.b.a.x.compute.amazonaws.com.cn."), "a.x.compute.amazonaws.com.cn.");
  static_assert(Limits::kRegistrableDomainLabelsMax == 8);
}

TEST(RegistrableDomainTest, ManyThreadsMayAskAtOnce) {
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (int& mine : wrong) {
    threads.emplace_back([&mine] {
      const Octets wire = WireOf("www.example.co.uk");
      for (int i = 0; i < 2000; ++i) mine += RegistrableDomain(wire).size() == wire.size() - 4 ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

}  // namespace
}  // namespace dotward
