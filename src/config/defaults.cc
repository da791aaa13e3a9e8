#include "base/strings.h"
#include "dotward/config.h"

namespace dotward {
namespace {

// Only for texts of this file, which tests have read.
template <typename T, typename... Texts>
std::vector<T> ParseAll(Texts... texts) {
  return {*T::Parse(texts)...};
}

UpstreamConfig TlsUpstream(std::string name, std::string auth_name, std::vector<IpAddress> addresses) {
  UpstreamConfig upstream;
  upstream.name = std::move(name);
  upstream.auth_name = std::move(auth_name);
  upstream.addresses = std::move(addresses);
  return upstream;
}

}  // namespace

Config DefaultConfig() {
  Config config;
  for (const Endpoint& endpoint : ParseAll<Endpoint>("127.0.0.1:53", "[::1]:53")) {
    config.listen.push_back({ListenProtocol::kDo53, endpoint});
  }
  // This machine and addresses that the Internet does not route: private (RFC 1918, RFC 4193), link-local (RFC 3927,
  // RFC 4291) and a provider's shared ones (RFC 6598). An open resolver is an amplifier for others' attacks.
  config.access.allow = ParseAll<IpPrefix>("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
                                           "169.254.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10");
  config.upstreams = {
      TlsUpstream("quad9", "dns.quad9.net",
                  ParseAll<IpAddress>("9.9.9.9", "149.112.112.112", "2620:fe::fe", "2620:fe::9")),
      TlsUpstream("cloudflare", "one.one.one.one",
                  ParseAll<IpAddress>("1.1.1.1", "1.0.0.1", "2606:4700:4700::1111", "2606:4700:4700::1001")),
      TlsUpstream("google", "dns.google",
                  ParseAll<IpAddress>("8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"))};
  ForwardConfig route;
  for (const UpstreamConfig& upstream : config.upstreams) route.upstreams.push_back(upstream.name);
  config.forward.push_back(std::move(route));
  return config;
}

}  // namespace dotward
