#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "config/schema.h"
#include "dotward/config.h"

namespace dotward {
namespace {

const std::string& Folder() {
  static const std::string folder = DOTWARD_SOURCE_DIR "/conf";
  return folder;
}

TEST(ShippedConfigTest, TheDefaultFileEqualsTheBuiltInDefaults) {
  const ConfigResult result = LoadConfig(Folder() + "/dotward.yaml");
  for (const ConfigError& error : result.errors) ADD_FAILURE() << error.ToString();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(PrintConfig(*result.config), PrintConfig(DefaultConfig()));
}

TEST(ShippedConfigTest, TheDefaultFileShowsEveryKeyThatIsAvailable) {
  std::ostringstream text;
  text << std::ifstream(Folder() + "/dotward.yaml").rdbuf();
  // Keys of features that are off have nothing to say to a newcomer, nor have the settings that only they use.
  const auto belongs_to_missing_feature = [](std::string_view path) {
    for (const std::string_view prefix :
         {"tls_server", "limits.client_burst", "limits.client_prefix", "limits.slip", "local", "admin.http"}) {
      if (path.starts_with(prefix)) return true;
    }
    return false;
  };
  for (const SchemaKey& key : Schema()) {
    if (!key.missing_feature.empty() || belongs_to_missing_feature(key.path)) continue;
    const std::string leaf = std::string(LeafOf(key.path)) + ":";
    EXPECT_NE(text.str().find(leaf), std::string::npos) << key.path;
  }
}

TEST(ShippedConfigTest, EveryFileIsAccepted) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(Folder())) {
    if (!entry.is_regular_file()) continue;
    ++files;
    for (const ConfigError& error : LoadConfig(entry.path()).errors) ADD_FAILURE() << error.ToString();
  }
  EXPECT_GE(files, 6U);
}

TEST(ShippedConfigTest, TheContainerListensOnAllItsAddresses) {
  const ConfigResult result = LoadConfig(Folder() + "/docker.yaml");
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result.config->listen.size(), 2U);
  for (const ListenConfig& listen : result.config->listen) EXPECT_TRUE(listen.endpoint.address.IsUnspecified());
  // Only who may reach the container differs, and that it keeps its cache: the access list stays the safe one.
  Config config = *result.config;
  config.listen = DefaultConfig().listen;
  EXPECT_EQ(std::exchange(config.cache.snapshot.path, ""), "/var/lib/dotward/cache.snapshot");
  EXPECT_EQ(PrintConfig(config), PrintConfig(DefaultConfig()));
}

TEST(DefaultConfigTest, AsksPublicResolversOverTlsByNameInBothFamilies) {
  const Config config = DefaultConfig();
  ASSERT_EQ(config.upstreams.size(), 3U);
  for (const UpstreamConfig& upstream : config.upstreams) {
    EXPECT_EQ(upstream.protocol, UpstreamProtocol::kTls);
    EXPECT_FALSE(upstream.auth_name.empty());
    EXPECT_EQ(upstream.port, 853);
    ASSERT_EQ(upstream.addresses.size(), 4U);
    EXPECT_TRUE(upstream.addresses.front().is_v4());
    EXPECT_FALSE(upstream.addresses.back().is_v4());
  }
}

TEST(DefaultConfigTest, ServesNoPublicAddress) {
  for (const IpPrefix& prefix : DefaultConfig().access.allow) {
    EXPECT_GE(prefix.length, 7) << prefix.ToString();
    EXPECT_FALSE(prefix.Contains(*IpAddress::Parse("192.0.2.1")));
    EXPECT_FALSE(prefix.Contains(*IpAddress::Parse("2001:db8::1")));
  }
}

}  // namespace
}  // namespace dotward
