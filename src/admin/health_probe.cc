#include "admin/health_probe.h"

#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/strings.h"
#include "dns/name.h"
#include "dns/query_builder.h"
#include "net/descriptor.h"
#include "net/socket_address.h"

namespace dotward {
namespace {

Endpoint Reachable(const Endpoint& listener) {
  if (!listener.address.IsUnspecified()) return listener;
  std::array<uint8_t, 16> loopback{};
  loopback[15] = 1;
  return {listener.address.is_v4() ? IpAddress::V4({127, 0, 0, 1}) : IpAddress::V6(loopback), listener.port};
}

absl::Status Failed(const Endpoint& target, std::string_view step) {
  return absl::UnavailableError(StrCat(target.ToString(), ": ", step, ": ", std::strerror(errno)));
}

}  // namespace

absl::Status ProbeHealth(const Endpoint& listener, Duration patience) {
  const Endpoint target = Reachable(listener);
  const SocketAddress address(target);
  const Descriptor socket(::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return Failed(target, "socket");
  if (connect(socket.get(), address.data(), address.size()) != 0) return Failed(target, "connect");

  const absl::StatusOr<Name> name = Name::Parse("version.bind.");
  if (!name.ok()) return name.status();
  QueryParameters parameters;
  if (getrandom(&parameters.id, sizeof(parameters.id), 0) != sizeof(parameters.id)) return Failed(target, "getrandom");
  parameters.qname = name->wire();
  parameters.qtype = rr_type::kTxt;
  parameters.qclass = rr_class::kCh;
  parameters.padding = Padding::kNone;
  std::array<uint8_t, kBuiltQueryOctetsMax> query;
  const size_t octets = BuildQuery(parameters, query);
  if (send(socket.get(), query.data(), octets, 0) < 0) return Failed(target, "send");

  pollfd readable{.fd = socket.get(), .events = POLLIN, .revents = 0};
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(patience).count();
  const int ready = poll(&readable, 1, static_cast<int>(milliseconds));
  if (ready < 0) return Failed(target, "poll");
  if (ready == 0)
    return absl::DeadlineExceededError(StrCat(target.ToString(), ": no reply; is dotward running there?"));
  std::array<uint8_t, kUdpPayloadMin> reply;
  const ssize_t received = recv(socket.get(), reply.data(), reply.size(), 0);
  if (received < 0) return Failed(target, "receive");
  if (!MatchesQuery(OctetView(reply).first(static_cast<size_t>(received)), parameters.id, name->wire(),
                    parameters.qtype, parameters.qclass)) {
    return absl::DataLossError(StrCat(target.ToString(), ": something else than a DNS server answered"));
  }
  return absl::OkStatus();
}

}  // namespace dotward
