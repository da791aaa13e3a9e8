#ifndef DOTWARD_DNSSEC_ANCHOR_TRACKER_H_
#define DOTWARD_DNSSEC_ANCHOR_TRACKER_H_

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dns/name.h"
#include "dnssec/delegation.h"
#include "dnssec/rrset_verifier.h"
#include "dnssec/trust_anchors.h"
#include "dotward/clock.h"
#include "dotward/message.h"

namespace dotward {

// Follows the keys of the trust anchors' zones as they are rolled over (RFC 5011): a new key that the zone has shown
// under an old one for 30 days is trusted, a key that the zone revokes is not trusted any more. A value without clock
// and files; not thread-safe.
class AnchorTracker {
 public:
  enum class State : uint8_t {
    kPending,  // seen under a trusted key, for less than 30 days
    kValid,
    kMissing,  // trusted, and not in the zone at the moment
    kRevoked,  // never to be trusted again
  };
  static std::string_view StateToString(State state);  // "pending", …

  struct Key {
    DelegationSigner signer;  // of the key as it was before it was revoked
    State state = State::kValid;
    WallTime since{};      // when it came to that state
    bool learned = false;  // from the zone, not from the operator
  };
  struct Zone {
    Name name;
    std::vector<Key> keys;
  };
  // A key-signing key of a zone's DNSKEY RRset.
  struct SeenKey {
    DelegationSigner signer;         // as above, with a SHA-256 digest
    DelegationSigner signer_sha384;  // the same with the other
    bool revoked = false;  // by itself: it has the bit, and has signed the RRset that says so (RFC 5011 §2.1)

    bool Is(const DelegationSigner& other) const { return other == signer || other == signer_sha384; }
  };

  // Begins with what the operator trusts.
  AnchorTracker(const TrustAnchors& configured, WallTime now);

  // Goes on from what Save gave in an earlier life: about keys that the operator trusts, only that they were revoked
  // counts; keys that the operator trusted then and does not name any more are left out, and so are zones of which he
  // trusts nothing. kInvalidArgument names the line; nothing has changed then.
  absl::Status Restore(std::string_view text);
  // Lines of text, the last one a checksum.
  std::string Save() const;

  // The keys of a DNSKEY RRset that `finding` found secure.
  static std::vector<SeenKey> KeysOf(const ScannedMessage& message, const KeysFinding& finding, WallTime now);
  // The zone has these keys now. Returns what has changed, in words; where that is not empty, Current has to be used
  // and Save to be kept. The last trusted key of a zone is never given up.
  std::vector<std::string> Observe(const Name& zone, const std::vector<SeenKey>& seen, WallTime now);

  // What is trusted now: keys that are valid or missing. Without negative anchors.
  TrustAnchors Current() const;
  const std::vector<Zone>& zones() const { return zones_; }

 private:
  Zone* Find(const Name& name);

  std::vector<Zone> zones_;
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_ANCHOR_TRACKER_H_
