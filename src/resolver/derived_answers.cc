#include "resolver/derived_answers.h"

#include "dns/wire.h"
#include "resolver/resolver_limits.h"

namespace dotward {
namespace {

bool DeniesWhatIsBelow(const ResponseImage& image) {
  return image.kind() == ResponseKind::kNxDomain && image.authentic_data() && !image.behind_alias();
}

}  // namespace

ImagePtr WithoutDnssec(ResponseCache& cache, const CacheKey& question, SteadyTime now) {
  if (question.dnssec_ok) return nullptr;
  CacheKey key = question;
  key.dnssec_ok = true;
  const auto with_dnssec = cache.Lookup(key, now, LookupPurpose::kRecheck);
  if (!with_dnssec) return nullptr;
  ImagePtr image = with_dnssec->image->WithoutDnssec(now);
  if (!image) return nullptr;
  // An NXDOMAIN for every type was asked for by one of them.
  key.dnssec_ok = false;
  key.qtype = ReadU16(&image->question().last(4)[0]);
  cache.Insert(key, image, now);
  return image;
}

ImagePtr DeniedByCut(ResponseCache& cache, const CacheKey& question, size_t zone_octets, SteadyTime now) {
  if (question.checking_disabled) return nullptr;
  CacheKey ancestor = question;
  // A DS is the business of the zone above, which denies nothing below where a way or an anchor begins.
  const size_t octets_min = question.qtype == rr_type::kDs ? zone_octets + 1 : zone_octets;
  for (size_t i = 0; i < ResolverLimits::kCutAncestorsMax; ++i) {
    if (ancestor.qname.size() <= 1) break;
    ancestor.qname = ancestor.qname.subspan(size_t{1} + ancestor.qname[0]);
    // Nobody denies the root.
    if (ancestor.qname.size() <= 1 || ancestor.qname.size() < octets_min) break;
    const auto denial = cache.Lookup(ancestor, now, LookupPurpose::kRecheck);
    if (!denial || !DeniesWhatIsBelow(*denial->image)) continue;
    Octets octets(question.qname.begin(), question.qname.end());
    octets.resize(octets.size() + 4);
    WriteU16(&octets[question.qname.size()], question.qtype);
    WriteU16(&octets[question.qname.size() + 2], question.qclass);
    return ResponseImage::DenialBelow(*denial->image, octets, now);
  }
  return nullptr;
}

}  // namespace dotward
