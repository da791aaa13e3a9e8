#ifndef DOTWARD_ADMIN_ANSWER_TRUST_H_
#define DOTWARD_ADMIN_ANSWER_TRUST_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "dns/extended_errors.h"
#include "dns/name.h"
#include "dns/scan.h"
#include "dnssec/chain_walker.h"
#include "dnssec/rrset.h"
#include "dotward/clock.h"
#include "dotward/response_cache.h"
#include "resolver/query_coalescer.h"

namespace dotward {

// How an answer was judged, as far as that can still be known: the cache keeps whether an answer is secure, and nothing
// of why it is not.
enum class KnownVerdict : uint8_t {
  kSecure,
  kInsecure,
  kIndeterminate,
  kBogus,
  kUnjudged,  // nobody here was to judge it: validation is off, or it was asked for with CD
  kUnknown,   // it is not secure and was not found bogus; what is known by now says no more
};
std::string_view KnownVerdictToString(KnownVerdict verdict);  // "secure", …

// One RRset of an answer.
struct RrsetTrust {
  Name owner;
  uint16_t type = 0;
  Section section = Section::kAnswer;
  KnownVerdict verdict = KnownVerdict::kUnknown;
  std::vector<SignatureFields> signatures;  // in the order of the message
};

struct AnswerTrust {
  KnownVerdict verdict = KnownVerdict::kUnknown;
  std::optional<ExtendedError> reason;  // of what is bogus
  // From the alias at QNAME to the data at the end, or to what denies it.
  std::vector<RrsetTrust> rrsets;
  // False where the answer is kept as those get it who do not set DO: without the signatures that it came with.
  bool has_signatures = false;
};

struct JudgedEntry {
  CacheEntry entry;
  AnswerTrust trust;
};

// What is to be found out about one entry. Immutable.
class AnswerInquiry {
 public:
  explicit AnswerInquiry(const CacheEntry& entry);

  // The names whose chains of trust tell, one for each RRset.
  std::vector<Name> names() const;

  using Failure = QueryCoalescer::Outlook::Failure;
  // `chains` are those of the names or, where the forwarding loop cannot be asked any more, none; `failure` is what is
  // remembered of the same question without CD.
  AnswerTrust JudgedBy(const std::vector<TrustChain>& chains, const std::optional<Failure>& failure) const;
  // Where validation is off.
  AnswerTrust Unjudged() const { return AllOf(KnownVerdict::kUnjudged); }

 private:
  // Where one RRset comes from.
  struct Source {
    Name name;                  // whose zone it is in
    std::vector<Name> signers;  // by the word of its signatures
  };

  AnswerTrust AllOf(KnownVerdict verdict) const;
  static KnownVerdict VerdictOf(const Source& source, const TrustChain& chain);

  const bool authentic_;
  const bool checking_disabled_;
  const bool denial_;
  AnswerTrust answer_;           // without verdicts
  std::vector<Source> sources_;  // of each RRset of it
};

// Of what is known of a question, that by which a client without CD would be answered; nullopt where nothing is. What
// was found bogus comes before what has expired.
std::optional<AnswerTrust> TrustOfAnswer(const std::vector<JudgedEntry>& entries,
                                         const std::optional<AnswerInquiry::Failure>& failure, SteadyTime now);

}  // namespace dotward

#endif  // DOTWARD_ADMIN_ANSWER_TRUST_H_
