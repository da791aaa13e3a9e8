#include "app/surroundings.h"

#include <pwd.h>

#include <array>
#include <map>
#include <string>
#include <utility>

#include "base/strings.h"
#include "net/tls_credentials.h"

namespace dotward {
namespace {

// False where the system says for certain that there is none.
bool AccountExists(const std::string& name) {
  passwd account{};
  passwd* found = nullptr;
  std::array<char, 16384> strings{};
  return getpwnam_r(name.c_str(), &account, strings.data(), strings.size(), &found) != 0 || found != nullptr;
}

}  // namespace

void CheckSurroundings(ConfigResult* result) {
  if (!result->ok()) return;
  const Config config = *result->config;
  if (!config.user.empty() && !AccountExists(config.user)) {
    result->Refuse(
        "user", StrCat("there is no account \"", config.user, "\" on this machine; create it, or leave the key empty"));
  }
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
