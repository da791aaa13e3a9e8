#ifndef DOTWARD_DNSSEC_DENIAL_PROOF_H_
#define DOTWARD_DNSSEC_DENIAL_PROOF_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dns/name.h"
#include "dnssec/rrset.h"
#include "dnssec/work_budget.h"

namespace dotward {

// What a zone's verified NSEC and NSEC3 records deny (RFC 4035 §5.4, RFC 5155 §8, RFC 6840 §4, RFC 9824). Whoever adds
// records has verified them with the keys of `zone`. Lives as long as one judgement; not thread-safe.
class DenialProof {
 public:
  enum class Result : uint8_t {
    kProven,
    kOptOut,             // proven but for unsigned delegations, which may be there: insecure (RFC 5155 §9.2)
    kTooManyIterations,  // RFC 9276 §3.2: insecure
    kNotProven,
    kOverBudget,
  };
  // What stands at a name that has no DS.
  enum class Cut : uint8_t {
    kUnsignedDelegation,  // or, by opt-out, perhaps one
    kNone,                // the name is inside the zone
    kNothingBelow,        // it does not exist: no zone begins at it or below
    kTooManyIterations,
    kNotProven,
    kOverBudget,
  };

  DenialProof(Name zone, WorkBudget& budget) : zone_(std::move(zone)), budget_(budget) {}

  // Takes the records of an NSEC or NSEC3 RRset, others not. Records that cannot be used are left out: hash algorithms
  // and flags that are unknown (RFC 5155 §8.1, §8.2), owners and next names outside of the zone, RDATA cut short.
  // `message` must outlive it.
  void Add(const ScannedMessage& message, const Rrset& rrset);

  const Name& zone() const { return zone_; }
  bool empty() const { return nsecs_.empty() && nsec3s_.empty(); }

  // That the name does not exist, nor a wildcard that would answer for it.
  Result NameError(const Name& name);
  // That the name exists without that type, or that the wildcard which answers for it does.
  Result NoData(const Name& name, uint16_t type);
  // That nothing stands between a name and the wildcard that answered for it, which has `labels` labels behind its "*".
  Result WildcardAnswer(const Name& name, size_t labels);
  // That the name has no DS, by the zone above it.
  Cut NoDs(const Name& name);

 private:
  // Type bitmap, RFC 4034 §4.1.2.
  class Types {
   public:
    explicit Types(OctetView bitmap) : bitmap_(bitmap) {}
    bool Has(uint16_t type) const;
    bool has_data() const;       // something that is not about the proof itself
    bool is_delegation() const;  // the parent's side of a zone cut

   private:
    OctetView bitmap_;
  };
  struct Nsec {
    Name owner;
    Name next;
    Types types;
    std::string owner_key{};  // as CanonicalKey
    std::string next_key{};
  };
  struct Nsec3 {
    std::string hash;  // base32hex in lower case, as are all hashes here: their order is that of the digests
    std::string next;
    bool opt_out = false;
    Types types;
  };
  // RFC 5155 §8.2: of several sets of parameters in one response, one is used.
  struct HashParameters {
    uint16_t iterations = 0;
    Octets salt;
    friend bool operator==(const HashParameters&, const HashParameters&) = default;
  };
  struct Encloser {
    Name closest;
    Name next_closer;
    bool exact = false;  // the name itself exists
    const Nsec3* match = nullptr;
    const Nsec3* cover = nullptr;  // of the next closer name
  };

  void AddNsec(const ScannedMessage& message, const Rrset& rrset, const RecordEdges& record);
  void AddNsec3(const ScannedMessage& message, const Rrset& rrset, const RecordEdges& record);

  const Nsec* Match(const Name& name) const;
  const Nsec* Cover(const Name& name) const;
  bool Covers(const Nsec& nsec, const Name& name, std::string_view key) const;
  static bool Lacks(const Types& types, uint16_t type, const Name& name);

  Result NameErrorByNsec(const Name& name) const;
  Result NoDataByNsec(const Name& name, uint16_t type) const;
  Result WildcardAnswerByNsec(const Name& name, size_t labels) const;
  Cut NoDsByNsec(const Name& name) const;

  Result NameErrorByNsec3(const Name& name);
  Result NoDataByNsec3(const Name& name, uint16_t type);
  Result WildcardAnswerByNsec3(const Name& name, size_t labels);
  Cut NoDsByNsec3(const Name& name);

  // Empty where the budget is exhausted.
  const std::string& HashOf(const Name& name);
  const Nsec3* MatchHash(const Name& name);
  const Nsec3* CoverHash(const Name& name);
  std::optional<Encloser> FindEncloser(const Name& name);
  bool too_many_iterations() const;
  Result NotProven() const { return budget_.exhausted() ? Result::kOverBudget : Result::kNotProven; }
  Cut NoCutProven() const { return budget_.exhausted() ? Cut::kOverBudget : Cut::kNotProven; }

  const Name zone_;
  WorkBudget& budget_;
  size_t looked_at_ = 0;
  std::vector<Nsec> nsecs_;
  std::vector<Nsec3> nsec3s_;
  std::optional<HashParameters> parameters_;
  std::map<std::string, std::string> hashes_;  // by name in lower case
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_DENIAL_PROOF_H_
