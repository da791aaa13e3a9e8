#include "app/surroundings.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "config/negative_anchor.h"
#include "dnssec/trust_anchors.h"
#include "net/tls_credentials.h"

namespace dotward {
namespace {

struct Account {
  uid_t user;
  std::vector<gid_t> groups;
};

enum class Existence : uint8_t { kExists, kDoesNot, kUnknown };

// Of the account with that name; fills it in where it exists.
Existence FindAccount(const std::string& name, Account* account) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> strings{};
  if (getpwnam_r(name.c_str(), &entry, strings.data(), strings.size(), &found) != 0) return Existence::kUnknown;
  if (found == nullptr) return Existence::kDoesNot;
  account->user = entry.pw_uid;
  int count = 64;
  account->groups.resize(static_cast<size_t>(count));
  if (getgrouplist(name.c_str(), entry.pw_gid, account->groups.data(), &count) < 0) count = 64;
  account->groups.resize(static_cast<size_t>(count));
  return Existence::kExists;
}

// Whether files can be made and replaced in the folder: by `account`, which this process is to become, or by this
// process itself.
bool MayBeWrittenTo(const std::string& folder, const struct stat& status, const std::optional<Account>& account) {
  if (!account) return faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) == 0;
  if (account->user == 0) return true;
  mode_t needed = S_IWOTH | S_IXOTH;
  if (account->user == status.st_uid) {
    needed = S_IWUSR | S_IXUSR;
  } else if (std::find(account->groups.begin(), account->groups.end(), status.st_gid) != account->groups.end()) {
    needed = S_IWGRP | S_IXGRP;
  }
  return (status.st_mode & needed) == needed;
}

// Empty where it is in order.
std::string ProblemOfSnapshot(const std::string& path, const std::string& user, const std::optional<Account>& account) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
  constexpr std::string_view kMeans = "the cache will not survive a restart";
  struct stat status {};
  if (stat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return StrCat("there is no folder ", folder, ", so ", kMeans,
                  "; make it, and let the server's account write to it");
  }
  if (!MayBeWrittenTo(folder, status, account)) {
    const std::string who = account ? StrCat("the account \"", user, "\"") : "this account";
    return StrCat(who, " may not write to the folder ", folder, ", so ", kMeans);
  }
  if (lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    return StrCat(path, " is no regular file, so ", kMeans);
  }
  return "";
}

void CheckTrust(const Config& config, ConfigResult* result) {
  if (!config.dnssec.validation) return;
  if (const std::string& file = config.dnssec.trust_anchors; !file.empty()) {
    const absl::Status status = TrustAnchors::Load(file).status();
    if (!status.ok()) result->Refuse("dnssec.trust_anchors", std::string(MessageOf(status)));
  }
  for (const std::string& text : config.dnssec.negative_trust_anchors) {
    const absl::StatusOr<NegativeAnchor> anchor = ParseNegativeAnchor(text);
    if (!anchor.ok() || !anchor->end || *anchor->end > std::chrono::system_clock::now()) continue;
    result->Warn("dnssec.negative_trust_anchors",
                 StrCat("\"", text, "\" is over, so the zone is validated; take it out, or give it another end"));
  }
}

}  // namespace

void CheckSurroundings(ConfigResult* result) {
  if (!result->ok()) return;
  const Config config = *result->config;
  std::optional<Account> account;  // that the process will become
  if (!config.user.empty()) {
    Account found{};
    const Existence existence = FindAccount(config.user, &found);
    if (existence == Existence::kDoesNot) {
      result->Refuse("user", StrCat("there is no account \"", config.user,
                                    "\" on this machine; create it, or leave the key empty"));
    } else if (existence == Existence::kExists && geteuid() == 0) {
      account = std::move(found);
    }
  }
  if (const std::string& path = config.cache.snapshot.path; !path.empty()) {
    std::string problem = ProblemOfSnapshot(path, config.user, account);
    if (!problem.empty()) result->Warn("cache.snapshot.path", std::move(problem));
  }
  CheckTrust(config, result);
  std::map<std::string, std::string> problems;  // by file; "" where it is in order
  for (size_t i = 0; i < config.upstreams.size(); ++i) {
    const UpstreamConfig& upstream = config.upstreams[i];
    if (upstream.ca_file.empty() || upstream.pin_only) continue;
    const auto [known, news] = problems.emplace(upstream.ca_file, "");
    if (news) known->second = MessageOf(TlsClientCredentials::Create(upstream.ca_file).status());
    if (!known->second.empty()) result->Refuse(StrCat("upstreams[", i, "].ca_file"), known->second);
  }
}

}  // namespace dotward
