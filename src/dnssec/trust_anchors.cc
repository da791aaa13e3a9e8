#include "dnssec/trust_anchors.h"

#include <absl/status/status.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "dns/wire.h"
#include "dnssec/algorithm.h"
#include "dnssec/dnssec_limits.h"
#include "dnssec/ldns_types.h"

namespace dotward {
namespace {

// https://data.iana.org/root-anchors/root-anchors.xml, as Debian's dns-root-data (root.ds) and BIND's bind.keys have
// them too.
constexpr std::string_view kRootAnchors =
    ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"
    ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16\n";

struct CloseFile {
  void operator()(FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<FILE, CloseFile>;

// The RDATA of a DS record.
absl::StatusOr<DelegationSigner> SignerOf(const ldns_rr& ds) {
  if (ldns_rr_rd_count(&ds) != 4) return absl::InvalidArgumentError("a DS record without all of its fields");
  DelegationSigner signer;
  signer.key_tag = ldns_rdf2native_int16(ldns_rr_rdf(&ds, 0));
  signer.algorithm = ldns_rdf2native_int8(ldns_rr_rdf(&ds, 1));
  signer.digest_type = ldns_rdf2native_int8(ldns_rr_rdf(&ds, 2));
  const OctetView digest = OctetsOf(*ldns_rr_rdf(&ds, 3));
  signer.digest.assign(digest.begin(), digest.end());
  if (!IsSupportedDigest(signer.digest_type)) {
    return absl::InvalidArgumentError(
        StrCat("digest type ", int{signer.digest_type}, " is not supported: 2 (SHA-256) and 4 (SHA-384) are"));
  }
  const size_t octets = signer.digest_type == ds_digest::kSha256 ? 32 : 48;
  if (signer.digest.size() != octets) {
    return absl::InvalidArgumentError(StrCat("the digest has ", signer.digest.size(), " octets instead of ", octets));
  }
  return signer;
}

absl::StatusOr<DelegationSigner> SignerOfKey(const ldns_rr& key) {
  if (ldns_rr_rd_count(&key) != 4) return absl::InvalidArgumentError("a DNSKEY record without all of its fields");
  const uint16_t flags = ldns_rdf2native_int16(ldns_rr_rdf(&key, 0));
  if ((flags & LDNS_KEY_ZONE_KEY) == 0) return absl::InvalidArgumentError("a DNSKEY that is no zone key (RFC 4034)");
  if ((flags & LDNS_KEY_REVOKE_KEY) != 0) return absl::InvalidArgumentError("a DNSKEY that was revoked (RFC 5011)");
  const uint8_t algorithm = ldns_rdf2native_int8(ldns_rr_rdf(&key, 2));
  if (IsSupportedAlgorithm(algorithm) && !IsUsablePublicKey(algorithm, OctetsOf(*ldns_rr_rdf(&key, 3)))) {
    return absl::InvalidArgumentError(StrCat("the DNSKEY holds no key of ", AlgorithmToString(algorithm)));
  }
  const LdnsRr ds(ldns_key_rr2ds(&key, LDNS_SHA256));
  if (ds == nullptr) return absl::InvalidArgumentError("a DNSKEY whose digest cannot be made");
  return SignerOf(*ds);
}

absl::StatusOr<DelegationSigner> SignerOfRecord(const ldns_rr& record) {
  if (ldns_rr_get_class(&record) != LDNS_RR_CLASS_IN) return absl::InvalidArgumentError("a class other than IN");
  absl::StatusOr<DelegationSigner> signer =
      absl::InvalidArgumentError(StrCat("a ", TypeToString(static_cast<uint16_t>(ldns_rr_get_type(&record))),
                                        " record; DS and DNSKEY can be "
                                        "trust anchors"));
  if (ldns_rr_get_type(&record) == LDNS_RR_TYPE_DS) signer = SignerOf(record);
  if (ldns_rr_get_type(&record) == LDNS_RR_TYPE_DNSKEY) signer = SignerOfKey(record);
  if (signer.ok() && !IsSupportedAlgorithm(signer->algorithm)) {
    return absl::InvalidArgumentError(StrCat(AlgorithmToString(signer->algorithm), " is not supported"));
  }
  return signer;
}

bool IsDirective(ldns_status status) {
  return status == LDNS_STATUS_SYNTAX_EMPTY || status == LDNS_STATUS_SYNTAX_TTL || status == LDNS_STATUS_SYNTAX_ORIGIN;
}

// The line in which the first record or directive at or behind `at` begins; ldns counts some empty ones twice.
int LineOf(std::string_view text, size_t at) {
  while (at < text.size() && (std::isspace(static_cast<unsigned char>(text[at])) != 0 || text[at] == ';')) {
    at = text[at] == ';' ? std::min(text.find('\n', at), text.size()) : at + 1;
  }
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

absl::Status Unreadable(const std::string& path) {
  const int error = errno;
  const std::string text = StrCat(path, ": ", std::strerror(error));
  if (error == ENOENT) return absl::NotFoundError(text);
  if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(text);
  return absl::UnavailableError(text);
}

}  // namespace

TrustAnchors TrustAnchors::BuiltIn() { return *Parse(kRootAnchors, "built in"); }

absl::StatusOr<TrustAnchors> TrustAnchors::Parse(std::string_view text, std::string_view source) {
  if (text.empty()) return absl::InvalidArgumentError(StrCat(source, ":1: no trust anchor in it"));
  if (text.size() > DnssecLimits::kAnchorFileOctetsMax) {
    return absl::InvalidArgumentError(
        StrCat(source, ":1: longer than ", DnssecLimits::kAnchorFileOctetsMax, " octets"));
  }
  std::string copy(text);
  const File file(fmemopen(copy.data(), copy.size(), "r"));
  if (file == nullptr) return Unreadable(std::string(source));
  TrustAnchors anchors;
  ldns_rdf* origin = nullptr;
  ldns_rdf* previous = nullptr;
  uint32_t ttl = 3600;
  size_t count = 0;
  absl::Status status;
  while (status.ok() && std::feof(file.get()) == 0) {
    const auto at = static_cast<size_t>(std::max(std::ftell(file.get()), 0L));
    ldns_rr* read = nullptr;
    const ldns_status outcome = ldns_rr_new_frm_fp(&read, file.get(), &ttl, &origin, &previous);
    const LdnsRr record(outcome == LDNS_STATUS_OK ? read : nullptr);
    if (IsDirective(outcome)) continue;
    if (record == nullptr) {
      status =
          absl::InvalidArgumentError(StrCat(source, ":", LineOf(text, at), ": ", ldns_get_errorstr_by_id(outcome),
                                            "; DS and DNSKEY records are written as ZONE IN DS 20326 8 2 E06D44…"));
      continue;
    }
    absl::StatusOr<DelegationSigner> signer = SignerOfRecord(*record);
    if (!signer.ok()) {
      status = absl::InvalidArgumentError(StrCat(source, ":", LineOf(text, at), ": ", MessageOf(signer.status())));
    } else if (++count > DnssecLimits::kAnchorsMax) {
      status = absl::InvalidArgumentError(
          StrCat(source, ":", LineOf(text, at), ": more than ", DnssecLimits::kAnchorsMax, " trust anchors"));
    } else {
      anchors.Add(NameOf(*ldns_rr_owner(record.get())), *std::move(signer));
    }
  }
  ldns_rdf_deep_free(origin);
  ldns_rdf_deep_free(previous);
  RETURN_IF_ERROR(status);
  if (anchors.anchors_.empty()) return absl::InvalidArgumentError(StrCat(source, ":1: no trust anchor in it"));
  return anchors;
}

absl::StatusOr<TrustAnchors> TrustAnchors::Load(const std::string& path) {
  const File file(std::fopen(path.c_str(), "re"));
  if (file == nullptr) return Unreadable(path);
  // One octet more than is allowed, so that Parse sees that there is more.
  std::string text(DnssecLimits::kAnchorFileOctetsMax + 1, '\0');
  errno = 0;
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return Unreadable(path);
  return Parse(text, path);
}

void TrustAnchors::Add(Name zone, DelegationSigner signer) {
  for (Anchor& anchor : anchors_) {
    if (!(anchor.zone == zone)) continue;
    if (std::ranges::find(anchor.signers, signer) == anchor.signers.end()) anchor.signers.push_back(std::move(signer));
    return;
  }
  anchors_.push_back({std::move(zone), {std::move(signer)}});
}

void TrustAnchors::AddNegative(Name zone, std::optional<WallTime> end) { negatives_.push_back({std::move(zone), end}); }

const TrustAnchors::Anchor* TrustAnchors::ClosestTo(const Name& name) const {
  const Anchor* closest = nullptr;
  for (const Anchor& anchor : anchors_) {
    if (!name.IsAtOrBelow(anchor.zone)) continue;
    if (closest == nullptr || anchor.zone.IsAtOrBelow(closest->zone)) closest = &anchor;
  }
  return closest;
}

const TrustAnchors::Negative* TrustAnchors::NegativeFor(const Name& name, WallTime now) const {
  const Anchor* anchor = ClosestTo(name);
  for (const Negative& negative : negatives_) {
    if (!name.IsAtOrBelow(negative.zone) || (negative.end && now >= *negative.end)) continue;
    // RFC 7646 §4: the closest decides.
    if (anchor == nullptr || negative.zone.IsAtOrBelow(anchor->zone)) return &negative;
  }
  return nullptr;
}

}  // namespace dotward
