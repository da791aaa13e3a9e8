#include "net/udp_socket.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/strings.h"
#include "net/bind_error.h"

namespace dotward {
namespace {

Endpoint At(std::string_view address, uint16_t port) { return {IpAddress::Parse(address).value(), port}; }

UdpSocket BoundTo(std::string_view address, uint16_t port = 0) {
  return UdpSocket::Bind(At(address, port), PortSharing::kExclusive).value();
}

// A plain client socket, as a stub resolver has it.
class PlainClient {
 public:
  explicit PlainClient(std::string_view address)
      : descriptor_(socket(IpAddress::Parse(address)->is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const SocketAddress local(At(address, 0));
    EXPECT_EQ(bind(descriptor_.get(), local.data(), local.size()), 0);
    const timeval patience{5, 0};
    setsockopt(descriptor_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  }

  void Send(const Endpoint& to, const std::string& text) const {
    const SocketAddress peer(to);
    ASSERT_EQ(sendto(descriptor_.get(), text.data(), text.size(), 0, peer.data(), peer.size()),
              static_cast<ssize_t>(text.size()));
  }

  // The octets, and whom they came from.
  std::pair<std::string, Endpoint> Receive() const {
    std::string text(65536, '\0');
    SocketAddress peer;
    socklen_t size = SocketAddress::kCapacity;
    const ssize_t octets = recvfrom(descriptor_.get(), text.data(), text.size(), 0, peer.Receive(), &size);
    EXPECT_GE(octets, 0) << "nothing came";
    text.resize(static_cast<size_t>(std::max<ssize_t>(octets, 0)));
    return {text, peer.ToEndpoint()};
  }

  Endpoint local() const { return LocalEndpoint(descriptor_.get()); }

 private:
  Descriptor descriptor_;
};

// Sends back what the batch holds, each to where it came from.
void Echo(UdpSocket& socket, const UdpReceiveBatch& received) {
  UdpSendBatch replies(received.capacity(), 0);
  for (size_t i = 0; i < received.size(); ++i) replies.Add(received.octets(i), received.path(i));
  const UdpSendResult result = socket.Send(replies.messages());
  EXPECT_EQ(result.sent, received.size());
}

std::string Text(std::span<const uint8_t> octets) { return {octets.begin(), octets.end()}; }

// Behaves as sendmmsg would with the outcomes it is given: a count of datagrams, or minus an errno.
class ScriptedSend {
 public:
  explicit ScriptedSend(std::deque<int> outcomes) : outcomes_(std::move(outcomes)) {}
  int operator()(std::span<mmsghdr> rest) {
    seen_.push_back(rest.size());
    if (outcomes_.empty()) return static_cast<int>(rest.size());
    const int outcome = outcomes_.front();
    outcomes_.pop_front();
    if (outcome >= 0) return outcome;
    errno = -outcome;
    return -1;
  }
  const std::vector<size_t>& seen() const { return seen_; }

 private:
  std::deque<int> outcomes_;
  std::vector<size_t> seen_;
};

TEST(SendDatagramsTest, GoesOnBehindAPartialSend) {
  std::vector<mmsghdr> messages(10);
  ScriptedSend send({3, 2});
  const UdpSendResult result = SendDatagrams(messages, std::ref(send));
  EXPECT_EQ(result.sent, 10U);
  EXPECT_EQ(result.skipped, 0U);
  EXPECT_EQ(send.seen(), (std::vector<size_t>{10, 7, 5}));
}

TEST(SendDatagramsTest, SkipsOnlyTheDatagramThatFails) {
  for (const int error : {ENOBUFS, EPERM, EHOSTUNREACH, ENETUNREACH, EMSGSIZE, EINVAL, ENOMEM, EACCES}) {
    std::vector<mmsghdr> messages(10);
    ScriptedSend send({4, -error});
    const UdpSendResult result = SendDatagrams(messages, std::ref(send));
    EXPECT_EQ(result.sent, 9U) << error;
    EXPECT_EQ(result.skipped, 1U) << error;
    EXPECT_FALSE(result.blocked);
    EXPECT_EQ(send.seen(), (std::vector<size_t>{10, 6, 5})) << error;
  }
}

TEST(SendDatagramsTest, TellsWhereAFullSocketStoppedIt) {
  std::vector<mmsghdr> messages(10);
  ScriptedSend send({4, -ENOBUFS, -EAGAIN});
  const UdpSendResult result = SendDatagrams(messages, std::ref(send));
  EXPECT_TRUE(result.blocked);
  EXPECT_EQ(result.sent + result.skipped, 5U);
}

TEST(SendDatagramsTest, AnInterruptionLosesNothing) {
  std::vector<mmsghdr> messages(3);
  ScriptedSend send({-EINTR, 1, -EINTR});
  EXPECT_EQ(SendDatagrams(messages, std::ref(send)).sent, 3U);
}

TEST(SendDatagramsTest, FailuresOfEveryDatagramEndAfterOneCallEach) {
  std::vector<mmsghdr> messages(64);
  ScriptedSend send(std::deque<int>(1000, -ENOBUFS));
  const UdpSendResult result = SendDatagrams(messages, std::ref(send));
  EXPECT_EQ(result.skipped, 64U);
  EXPECT_EQ(result.calls, 64U);
}

TEST(UdpSocketTest, ReadsAtMostOneBatchAndThenTheRest) {
  UdpSocket socket = BoundTo("127.0.0.1");
  const PlainClient client("127.0.0.1");
  for (size_t i = 0; i < Limits::kUdpBatch + 6; ++i) client.Send(socket.local(), std::to_string(i));
  UdpReceiveBatch batch(Limits::kUdpBatch, Limits::kUdpQueryOctetsMax);
  ASSERT_TRUE(socket.Receive(batch).ok());
  ASSERT_EQ(batch.size(), Limits::kUdpBatch);
  EXPECT_EQ(Text(batch.octets(0)), "0");
  EXPECT_EQ(Text(batch.octets(63)), "63");
  EXPECT_EQ(batch.peer(63).ToEndpoint(), client.local());
  ASSERT_TRUE(socket.Receive(batch).ok());
  ASSERT_EQ(batch.size(), 6U);
  EXPECT_EQ(Text(batch.octets(5)), "69");
  ASSERT_TRUE(socket.Receive(batch).ok()) << "an empty socket is no error";
  EXPECT_EQ(batch.size(), 0U);
}

TEST(UdpSocketTest, NoticesADatagramOverTheLimit) {
  UdpSocket socket = BoundTo("127.0.0.1");
  const PlainClient client("127.0.0.1");
  client.Send(socket.local(), std::string(Limits::kUdpQueryOctetsMax, 'a'));
  client.Send(socket.local(), std::string(Limits::kUdpQueryOctetsMax + 1, 'b'));
  client.Send(socket.local(), "");
  UdpReceiveBatch batch(Limits::kUdpBatch, Limits::kUdpQueryOctetsMax);
  ASSERT_TRUE(socket.Receive(batch).ok());
  ASSERT_EQ(batch.size(), 3U);
  EXPECT_FALSE(batch.cut(0));
  EXPECT_EQ(batch.octets(0).size(), Limits::kUdpQueryOctetsMax);
  EXPECT_TRUE(batch.cut(1));
  EXPECT_EQ(batch.octets(1).size(), Limits::kUdpQueryOctetsMax);
  EXPECT_FALSE(batch.cut(2));
  EXPECT_TRUE(batch.octets(2).empty());
}

TEST(UdpSocketTest, AWildcardSocketRepliesFromTheAddressThatWasAsked) {
  UdpSocket socket = BoundTo("0.0.0.0");
  const PlainClient client("127.0.0.9");
  UdpReceiveBatch batch(Limits::kUdpBatch, Limits::kUdpQueryOctetsMax);
  // Two addresses in one batch, so that one reply's address cannot be the other's.
  client.Send(At("127.0.0.2", socket.local().port), "two");
  client.Send(At("127.0.0.3", socket.local().port), "three");
  ASSERT_TRUE(socket.Receive(batch).ok());
  ASSERT_EQ(batch.size(), 2U);
  Echo(socket, batch);
  EXPECT_EQ(client.Receive(), std::pair(std::string("two"), At("127.0.0.2", socket.local().port)));
  EXPECT_EQ(client.Receive(), std::pair(std::string("three"), At("127.0.0.3", socket.local().port)));
}

TEST(UdpSocketTest, AnIpv6WildcardSocketRepliesFromTheAddressThatWasAsked) {
  UdpSocket socket = BoundTo("::");
  const PlainClient client("::1");
  client.Send(At("::1", socket.local().port), "six");
  UdpReceiveBatch batch(Limits::kUdpBatch, Limits::kUdpQueryOctetsMax);
  ASSERT_TRUE(socket.Receive(batch).ok());
  ASSERT_EQ(batch.size(), 1U);
  const UdpPath path = batch.path(0);
  EXPECT_TRUE(path.has_local);
  EXPECT_EQ(path.interface, 0U) << "only link-local addresses are bound to an interface";
  Echo(socket, batch);
  EXPECT_EQ(client.Receive(), std::pair(std::string("six"), At("::1", socket.local().port)));
}

TEST(UdpSocketTest, ASocketOfOneAddressNeedsNoControlMessages) {
  UdpSocket socket = BoundTo("127.0.0.2");
  const PlainClient client("127.0.0.1");
  client.Send(socket.local(), "hello");
  UdpReceiveBatch batch(Limits::kUdpBatch, Limits::kUdpQueryOctetsMax);
  ASSERT_TRUE(socket.Receive(batch).ok());
  ASSERT_EQ(batch.size(), 1U);
  EXPECT_FALSE(batch.path(0).has_local);
  Echo(socket, batch);
  EXPECT_EQ(client.Receive(), std::pair(std::string("hello"), socket.local()));
}

TEST(UdpSocketTest, OneBatchServesSocketsOfBothKinds) {
  UdpSocket wildcard = BoundTo("0.0.0.0");
  UdpSocket single = BoundTo("127.0.0.2");
  const PlainClient client("127.0.0.1");
  UdpReceiveBatch batch(Limits::kUdpBatch, Limits::kUdpQueryOctetsMax);
  for (int round = 0; round < 3; ++round) {
    client.Send(single.local(), "single");
    ASSERT_TRUE(single.Receive(batch).ok());
    ASSERT_EQ(batch.size(), 1U);
    EXPECT_FALSE(batch.path(0).has_local);
    client.Send(At("127.0.0.5", wildcard.local().port), "wildcard");
    ASSERT_TRUE(wildcard.Receive(batch).ok());
    ASSERT_EQ(batch.size(), 1U);
    EXPECT_TRUE(batch.path(0).has_local);
  }
}

TEST(UdpSocketTest, Ipv4AndIpv6WildcardsStandSideBySide) {
  const UdpSocket v6 = BoundTo("::");
  const absl::StatusOr<UdpSocket> v4 = UdpSocket::Bind(At("0.0.0.0", v6.local().port), PortSharing::kExclusive);
  EXPECT_TRUE(v4.ok()) << v4.status();
}

TEST(UdpSocketTest, AReplyThatCannotLeaveKeepsBackNoOther) {
  UdpSocket socket = BoundTo("127.0.0.1");
  const PlainClient client("127.0.0.1");
  UdpSendBatch batch(3, 64);
  const auto add = [&batch](const std::string& text, const Endpoint& to) {
    std::ranges::copy(text, batch.Space().begin());
    UdpPath path;
    path.peer = SocketAddress(to);
    batch.Commit(text.size(), path);
  };
  add("before", client.local());
  add("nowhere", At("127.0.0.1", 0));  // EINVAL
  add("behind", client.local());
  const UdpSendResult result = socket.Send(batch.messages());
  EXPECT_EQ(result.sent, 2U);
  EXPECT_EQ(result.skipped, 1U);
  EXPECT_EQ(client.Receive().first, "before");
  EXPECT_EQ(client.Receive().first, "behind");
}

TEST(UdpSocketTest, DoesNotLearnPathMtus) {
  const UdpSocket v4 = BoundTo("127.0.0.1");
  const UdpSocket v6 = BoundTo("::1");
  int value = -1;
  socklen_t size = sizeof(value);
  ASSERT_EQ(getsockopt(v4.descriptor(), IPPROTO_IP, IP_MTU_DISCOVER, &value, &size), 0);
  EXPECT_EQ(value, IP_PMTUDISC_OMIT);
  ASSERT_EQ(getsockopt(v6.descriptor(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, &value, &size), 0);
  EXPECT_EQ(value, IPV6_PMTUDISC_OMIT);
}

TEST(UdpSocketTest, SiblingsShareThePortAndStrangersDoNot) {
  UdpSocket first = BoundTo("127.0.0.1");
  ASSERT_TRUE(first.ShareWithSiblings().ok());
  const absl::StatusOr<UdpSocket> second = UdpSocket::Bind(first.local(), PortSharing::kSibling);
  ASSERT_TRUE(second.ok()) << second.status();
  // As a second server would try it: the kernel would let it in silently if it asked to share.
  const absl::StatusOr<UdpSocket> stranger = UdpSocket::Bind(first.local(), PortSharing::kExclusive);
  EXPECT_EQ(stranger.status().code(), absl::StatusCode::kAlreadyExists);
}

TEST(UdpSocketTest, BothSiblingsGetDatagrams) {
  UdpSocket first = BoundTo("127.0.0.1");
  ASSERT_TRUE(first.ShareWithSiblings().ok());
  UdpSocket second = UdpSocket::Bind(first.local(), PortSharing::kSibling).value();
  for (int i = 0; i < 64; ++i) PlainClient("127.0.0.1").Send(first.local(), "hello");
  UdpReceiveBatch batch(Limits::kUdpBatch, Limits::kUdpQueryOctetsMax);
  ASSERT_TRUE(first.Receive(batch).ok());
  const size_t at_first = batch.size();
  ASSERT_TRUE(second.Receive(batch).ok());
  EXPECT_EQ(at_first + batch.size(), 64U);
  EXPECT_GT(at_first, 0U);
  EXPECT_GT(batch.size(), 0U);
}

TEST(BindErrorTest, AnAddressInUseNamesTheUsualHoldersAndHowToSeeThem) {
  const UdpSocket holder = BoundTo("127.0.0.1");
  const absl::Status status = UdpSocket::Bind(holder.local(), PortSharing::kExclusive).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  const std::string text(MessageOf(status));
  EXPECT_NE(text.find(StrCat("127.0.0.1:", holder.local().port, "/udp")), std::string::npos) << text;
  EXPECT_NE(text.find("systemd-resolved"), std::string::npos) << text;
  EXPECT_NE(text.find("dnsmasq"), std::string::npos) << text;
  EXPECT_NE(text.find("ss -lunp"), std::string::npos) << text;
}

TEST(BindErrorTest, AnAddressOfAnotherMachineIsNamed) {
  const absl::Status status = UdpSocket::Bind(At("192.0.2.1", 0), PortSharing::kExclusive).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(MessageOf(status).find("192.0.2.1"), std::string_view::npos) << status;
  EXPECT_NE(MessageOf(status).find("no interface of this machine"), std::string_view::npos) << status;
}

TEST(BindErrorTest, APrivilegedPortNamesEveryRemedy) {
  const absl::Status status = BindError(At("127.0.0.1", 53), SocketKind::kTcp, "bind", EACCES);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  for (const std::string_view remedy :
       {"127.0.0.1:53/tcp", "root", "setcap cap_net_bind_service=+ep", "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "net.ipv4.ip_unprivileged_port_start=53", "another port"}) {
    EXPECT_NE(MessageOf(status).find(remedy), std::string_view::npos) << remedy << " in " << status;
  }
}

// What a process without privileges gets from the kernel; the exit code carries the verdict out of the child.
int TryPrivilegedPortUnprivileged() {
  if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) return 3;
  const absl::StatusOr<UdpSocket> socket = UdpSocket::Bind(At("127.0.0.1", 1), PortSharing::kExclusive);
  if (socket.ok()) return 2;
  return socket.status().code() == absl::StatusCode::kPermissionDenied ? 0 : 1;
}

TEST(BindErrorTest, TheKernelsRefusalOfAPrivilegedPortIsPermissionDenied) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(TryPrivilegedPortUnprivileged());
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "net.ipv4.ip_unprivileged_port_start lets everybody have port 1 here";
  if (WEXITSTATUS(status) == 3) GTEST_SKIP() << "no other user can be taken on here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace dotward
