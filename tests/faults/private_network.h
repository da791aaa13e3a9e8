#ifndef DOTWARD_FAULTS_PRIVATE_NETWORK_H_
#define DOTWARD_FAULTS_PRIVATE_NETWORK_H_

#include <cstdint>
#include <string>

namespace dotward {

// A network namespace with nothing but a loopback interface, which the calling thread and those it starts from then on
// live in, with firewall rules as a test wants them.
class PrivateNetwork {
 public:
  // Why there is none on this machine for this user; empty: it is there.
  static std::string Enter();

  // What becomes of segments to `port`, and of those from it: "DROP" loses them, "REJECT" answers with RST.
  static void Block(uint16_t port, const std::string& target);
  static void Unblock();
  // SYNs to blocked ports since Block().
  static uint64_t BlockedConnects();
};

}  // namespace dotward

#endif  // DOTWARD_FAULTS_PRIVATE_NETWORK_H_
