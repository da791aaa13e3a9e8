#include "net/plain_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <asio/io_context.hpp>
#include <chrono>
#include <future>

#include "base/limits.h"
#include "base/strings.h"
#include "net/socket_address.h"
#include "testing/loopback/blocking_peer.h"
#include "testing/messages.h"
#include "testing/run_task.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

using StreamOr = absl::StatusOr<std::unique_ptr<ClientStream>>;

Deadline Soon() { return Deadline::After(std::chrono::steady_clock::now(), seconds(20)); }
std::string TextOf(const absl::Status& status) { return std::string(MessageOf(status)); }

class PlainStreamTest : public ::testing::Test {
 protected:
  StreamOr Connect(PlainClientOptions options, Deadline deadline = Soon()) {
    return RunTask(loop_, PlainStream::Connect(loop_, options, deadline));
  }
  std::unique_ptr<ClientStream> MustConnect(const BlockingPeer& peer) {
    StreamOr stream = Connect({peer.endpoint()});
    EXPECT_TRUE(stream.ok()) << stream.status();
    return stream.ok() ? *std::move(stream) : nullptr;
  }
  absl::StatusOr<Octets> Read(ClientStream& stream, size_t octets = 65'536) {
    Octets buffer(octets);
    const absl::StatusOr<size_t> read = RunTask(loop_, stream.Read(buffer));
    if (!read.ok()) return read.status();
    buffer.resize(*read);
    return buffer;
  }
  void PollAll() {
    loop_.restart();
    while (loop_.poll_one() != 0) {
    }
  }

  asio::io_context loop_{1};
};

void SendText(int socket, std::string_view text) {
  EXPECT_EQ(send(socket, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

TEST_F(PlainStreamTest, CarriesOctetsBothWaysAsTheyAre) {
  std::string received;
  BlockingPeer peer([&](int socket) {
    SendText(socket, "hello");
    received = ReadAll(socket);
  });
  const auto stream = MustConnect(peer);
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(*Read(*stream), OctetsOf("hello"));
  const Octets sent = OctetsOf("query");
  EXPECT_TRUE(RunTask(loop_, stream->Write(sent)).ok());
  stream->Close();
  peer.Join();
  EXPECT_EQ(received, "query");
}

TEST_F(PlainStreamTest, SaysWhatItIs) {
  std::promise<Endpoint> client;
  BlockingPeer peer([&](int socket) {
    SocketAddress address;
    socklen_t size = SocketAddress::kCapacity;
    EXPECT_EQ(getpeername(socket, address.Receive(), &size), 0);
    client.set_value(address.ToEndpoint());
    ReadAll(socket);
  });
  const auto stream = MustConnect(peer);
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->peer(), peer.endpoint());
  EXPECT_EQ(stream->local(), client.get_future().get());
  EXPECT_EQ(stream->protocol_version(), "tcp");
  EXPECT_FALSE(stream->resumed());
  EXPECT_FALSE(stream->HasBufferedOctets());
  EXPECT_TRUE(stream->TakeSessionTicket().empty());
  EXPECT_GT(stream->handshake_time(), Duration::zero());
  EXPECT_LT(stream->handshake_time(), seconds(20));
  stream->Close();
}

TEST_F(PlainStreamTest, ReadTakesWhatFitsAndLeavesTheRest) {
  std::promise<void> sent;
  BlockingPeer peer([&](int socket) {
    SendText(socket, "abcdef");
    sent.set_value();
  });
  const auto stream = MustConnect(peer);
  ASSERT_NE(stream, nullptr);
  sent.get_future().wait();
  EXPECT_EQ(*Read(*stream, 4), OctetsOf("abcd"));
  EXPECT_EQ(*Read(*stream, 4), OctetsOf("ef"));
  EXPECT_TRUE(Read(*stream)->empty()) << "the peer has closed";
}

TEST_F(PlainStreamTest, ResetIsUnavailable) {
  // Before that, the reset would be the end of connecting.
  std::promise<void> connected;
  BlockingPeer peer([&](int socket) {
    connected.get_future().wait();
    const linger at_once{1, 0};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  });
  const auto stream = MustConnect(peer);
  connected.set_value();
  ASSERT_NE(stream, nullptr);
  const auto read = Read(*stream);
  EXPECT_EQ(read.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(TextOf(read.status()), HasSubstr(": stream: Connection reset"));
}

TEST_F(PlainStreamTest, RefusedConnectionSaysSo) {
  Endpoint gone;
  {
    const BlockingPeer peer([](int) {});
    gone = peer.endpoint();
  }
  const StreamOr stream = Connect({gone});
  EXPECT_EQ(stream.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(TextOf(stream.status()),
              AllOf(HasSubstr(gone.ToString() + ": connect: Connection refused"), HasSubstr("nothing listens")));
}

TEST_F(PlainStreamTest, PeerThatDoesNotAnswerEndsThePatience) {
  const SilentListener silent;
  const StreamOr stream = Connect({silent.endpoint(), milliseconds(50)});
  EXPECT_EQ(stream.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(TextOf(stream.status()), HasSubstr(silent.endpoint().ToString() + ": connect: TCP got no answer in "));
}

TEST_F(PlainStreamTest, DeadlineCountsWhereItIsSooner) {
  const SilentListener silent;
  const auto start = std::chrono::steady_clock::now();
  const StreamOr stream = Connect({silent.endpoint(), seconds(15)}, Deadline::After(start, milliseconds(50)));
  EXPECT_EQ(stream.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(10));
}

TEST_F(PlainStreamTest, DeadlineThatHasPassedConnectsNothing) {
  bool connected = false;
  {
    const BlockingPeer peer([&](int) { connected = true; });
    const StreamOr stream = Connect({peer.endpoint()}, Deadline(std::chrono::steady_clock::now() - seconds(1)));
    EXPECT_EQ(stream.status().code(), absl::StatusCode::kDeadlineExceeded);
  }
  EXPECT_FALSE(connected);
}

TEST_F(PlainStreamTest, CancellerEndsAConnect) {
  const SilentListener silent;
  StreamCanceller canceller;
  TaskGroup group(loop_);
  Outcome<StreamOr> outcome;
  outcome.From(group, PlainStream::Connect(loop_, {silent.endpoint(), seconds(15), &canceller}, Soon()));
  PollAll();
  ASSERT_FALSE(outcome.ready());
  canceller.Cancel();
  EXPECT_FALSE(outcome.ready()) << "on the loop's next turn, not inside Cancel";
  EXPECT_EQ(outcome.Wait(loop_).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(PlainStreamTest, CloseEndsWhatWaits) {
  BlockingPeer peer([](int socket) { ReadAll(socket); });
  const auto stream = MustConnect(peer);
  ASSERT_NE(stream, nullptr);
  Octets buffer(512);
  TaskGroup group(loop_);
  Outcome<absl::StatusOr<size_t>> read;
  read.From(group, stream->Read(buffer));
  PollAll();
  ASSERT_FALSE(read.ready());
  stream->Close();
  EXPECT_EQ(read.Wait(loop_).status().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(stream->closed());
  EXPECT_EQ(RunTask(loop_, stream->Write(buffer)).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Read(*stream).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(PlainStreamTest, StreamMayBeDestroyedUnderAWaitingRead) {
  BlockingPeer peer([](int socket) { ReadAll(socket); });
  auto stream = MustConnect(peer);
  ASSERT_NE(stream, nullptr);
  Octets buffer(512);
  TaskGroup group(loop_);
  Outcome<absl::StatusOr<size_t>> read;
  read.From(group, stream->Read(buffer));
  PollAll();
  stream.reset();
  EXPECT_EQ(read.Wait(loop_).status().code(), absl::StatusCode::kCancelled);
}

// More than the sockets' buffers hold in any case.
constexpr size_t kLargeOctets = size_t{24} << 20;

TEST_F(PlainStreamTest, X12_WriterWaitsForAReaderThatDoesNotRead) {
  std::promise<void> start_reading;
  std::string received;
  BlockingPeer peer([&](int socket) {
    start_reading.get_future().wait();
    received = ReadAll(socket);
  });
  const auto stream = MustConnect(peer);
  ASSERT_NE(stream, nullptr);
  const Octets sent(kLargeOctets, 'x');
  TaskGroup group(loop_);
  Outcome<absl::Status> written;
  written.From(group, stream->Write(sent));
  PollAll();
  EXPECT_FALSE(written.ready());
  start_reading.set_value();
  EXPECT_TRUE(written.Wait(loop_).ok());
  stream->Close();
  peer.Join();
  EXPECT_TRUE(received == std::string(kLargeOctets, 'x'));
}

// Reads octet by octet until `octets` have come.
Task<absl::Status> ReadOneByOne(ClientStream* stream, size_t octets) {
  Octets buffer(1);
  for (size_t i = 0; i < octets; ++i) {
    const absl::StatusOr<size_t> read = co_await stream->Read(buffer);
    if (!read.ok()) co_return read.status();
  }
  co_return absl::OkStatus();
}

TEST_F(PlainStreamTest, BusyStreamLeavesTurnsToOthers) {
  constexpr size_t kReads = 20 * Limits::kStreamReadsPerTurn;
  BlockingPeer peer([](int socket) {
    SendText(socket, std::string(kReads, 'x'));
    ReadAll(socket);
  });
  const auto stream = MustConnect(peer);
  ASSERT_NE(stream, nullptr);
  TaskGroup group(loop_);
  Outcome<absl::Status> read;
  read.From(group, ReadOneByOne(stream.get(), kReads));
  loop_.restart();
  size_t turns = 0;
  while (!read.ready()) turns += loop_.poll_one();
  EXPECT_TRUE(read->ok());
  EXPECT_GE(turns, kReads / Limits::kStreamReadsPerTurn - 1);
  stream->Close();
}

// This process's socket with the address `local`.
int DescriptorOf(const Endpoint& local) {
  for (int descriptor = 0; descriptor < 1024; ++descriptor) {
    if (LocalEndpoint(descriptor) == local) return descriptor;
  }
  return -1;
}
int OptionOf(int descriptor, int level, int option) {
  int value = -1;
  socklen_t size = sizeof value;
  EXPECT_EQ(getsockopt(descriptor, level, option, &value, &size), 0);
  return value;
}

TEST_F(PlainStreamTest, KernelIsToldToNoticeDeadPeers) {
  BlockingPeer peer([](int socket) { ReadAll(socket); });
  const auto stream = MustConnect(peer);
  ASSERT_NE(stream, nullptr);
  const int descriptor = DescriptorOf(stream->local());
  ASSERT_GE(descriptor, 0);
  EXPECT_NE(OptionOf(descriptor, IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_EQ(OptionOf(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT), milliseconds(Limits::kTcpUserTimeout).count());
  EXPECT_NE(OptionOf(descriptor, SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(OptionOf(descriptor, IPPROTO_TCP, TCP_KEEPIDLE), Limits::kTcpKeepaliveIdle.count());
  EXPECT_EQ(OptionOf(descriptor, IPPROTO_TCP, TCP_KEEPINTVL), Limits::kTcpKeepaliveInterval.count());
  EXPECT_EQ(OptionOf(descriptor, IPPROTO_TCP, TCP_KEEPCNT), Limits::kTcpKeepaliveProbes);
  stream->Close();
}

}  // namespace
}  // namespace dotward
