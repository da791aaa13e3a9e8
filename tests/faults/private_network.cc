#include "faults/private_network.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace dotward {
namespace {

// What the command prints; nullopt where it fails.
std::optional<std::string> Run(const std::string& command) {
  FILE* const output = popen(("PATH=$PATH:/usr/sbin:/sbin; " + command + " 2>&1").c_str(), "r");
  if (output == nullptr) return std::nullopt;
  std::string text;
  std::array<char, 4096> part;
  while (const size_t octets = fread(part.data(), 1, part.size(), output)) text.append(part.data(), octets);
  const int status = pclose(output);
  if (status != 0) std::fprintf(stderr, "%s: %s\n", command.c_str(), text.c_str());
  return status == 0 ? std::optional(text) : std::nullopt;
}

std::string MustRun(const std::string& command) {
  const std::optional<std::string> text = Run(command);
  if (!text) std::abort();
  return *text;
}

}  // namespace

std::string PrivateNetwork::Enter() {
  const int user_namespace = geteuid() == 0 ? 0 : CLONE_NEWUSER;
  if (unshare(user_namespace | CLONE_NEWNET) != 0) {
    return std::string("no network namespace for this user here: ") + std::strerror(errno);
  }
  if (!Run("ip link set lo up")) return "no iproute2 here";
  if (!Run("iptables -w -L INPUT -n")) return "no firewall rules for this user here";
  return "";
}

void PrivateNetwork::Block(uint16_t port, const std::string& target) {
  const std::string number = std::to_string(port);
  // The first rule has no target: it counts.
  MustRun("iptables -w -A INPUT -p tcp --dport " + number + " --syn");
  MustRun("iptables -w -A INPUT -p tcp --dport " + number + " -j " + target +
          (target == "REJECT" ? " --reject-with tcp-reset" : ""));
  if (target == "DROP") MustRun("iptables -w -A INPUT -p tcp --sport " + number + " -j DROP");
}

void PrivateNetwork::Unblock() { MustRun("iptables -w -F INPUT"); }

uint64_t PrivateNetwork::BlockedConnects() {
  // Two lines of headings, then the counting rule, which begins with its number of packets.
  const std::string text = MustRun("iptables -w -n -v -x -L INPUT");
  const size_t first = text.find('\n', text.find('\n') + 1);
  return std::strtoull(text.c_str() + first, nullptr, 10);
}

}  // namespace dotward
