// The upstream of the benchmark: it answers every question with 192.0.2.1, at once, over DNS-over-TLS, and over plain
// UDP for those that cannot forward over TLS. What is ready together leaves in one TLS record, so that the server under
// test, which does the other half of the same TLS work, is what limits the rate. Over TLS it never answers for a name
// whose first label is "unanswered": the server has to hold the question. With a table (answer_table.h) it gives what
// stands there, over TLS, to questions that are in it.
//
//   bench_dot_responder ADDRESS:PORT CERTIFICATE_FILE KEY_FILE [TABLE_FILE]

#include <asio/posix/basic_stream_descriptor.hpp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/await.h"
#include "bench/answer_table.h"
#include "bench/datagram_server.h"
#include "bench/octets.h"
#include "net/stream_framing.h"
#include "net/tls_credentials.h"
#include "net/tls_stream.h"

namespace dotward::bench {
namespace {

using Listener = asio::posix::basic_stream_descriptor<Executor>;

constexpr std::chrono::seconds kHandshakeTime{5};
// Answers that are collected before they are written although more queries are there: one full TLS record.
constexpr size_t kOutputOctets = 16'384;
constexpr int kBacklog = 1024;
// A server under test may open a connection a query. The memory of these bounds it.
constexpr size_t kConnectionsMax = 4096;

std::string ReadFile(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool IsToBeHeld(std::span<const uint8_t> query) {
  constexpr std::string_view kLabel = "\x0aunanswered";
  return query.size() > kHeaderOctets + kLabel.size() &&
         std::memcmp(&query[kHeaderOctets], kLabel.data(), kLabel.size()) == 0;
}

// Appends the answer that stands in the table; false where the question does not.
bool AnswerFromTable(const AnswerTable& table, std::span<const uint8_t> query, std::vector<uint8_t>& out) {
  static std::vector<uint8_t> answer;
  answer.clear();
  const AnswerTable::Found found = table.Answer(query, answer);
  if (found == AnswerTable::Found::kAnswer) AppendFrame(out, answer);
  return found != AnswerTable::Found::kNothing;
}

// Appends the answers to all whole queries in `frames`; false where one was no query.
bool AnswerFrames(FrameReader& frames, const AnswerTable& table, std::vector<uint8_t>& out) {
  while (const auto query = frames.Next()) {
    if (IsToBeHeld(*query) || AnswerFromTable(table, *query, out)) continue;
    std::array<uint8_t, kDatagramOctetsMax> answer;
    const size_t octets = WriteAnswer(*query, answer);
    if (octets == 0) return false;
    AppendFrame(out, std::span(answer).first(octets));
  }
  return true;
}

Task<> ServeConnection(asio::io_context& loop, Descriptor connection,
                       std::shared_ptr<const TlsServerCredentials> credentials, const AnswerTable& table) {
  auto accepted = co_await TlsStream::Accept(loop, connection.Release(), std::move(credentials),
                                             Deadline::After(std::chrono::steady_clock::now(), kHandshakeTime));
  if (!accepted.ok()) co_return;
  const std::unique_ptr<TlsStream> stream = *std::move(accepted);
  FrameReader frames(kOutputOctets);
  std::vector<uint8_t> out;
  for (;;) {
    const auto octets = co_await stream->Read(frames.Space());
    if (!octets.ok() || *octets == 0) co_return;
    frames.Commit(*octets);
    if (!AnswerFrames(frames, table, out)) co_return;
    if (out.empty() || (stream->HasBufferedOctets() && out.size() < kOutputOctets)) continue;
    const absl::Status written = co_await stream->Write(out);
    if (!written.ok()) co_return;
    out.clear();
  }
}

Task<> AcceptConnections(asio::io_context& loop, TaskGroup& connections, Listener& listener,
                         std::shared_ptr<const TlsServerCredentials> credentials, const AnswerTable& table) {
  for (;;) {
    const auto ready = co_await listener.async_wait(Listener::wait_read, kAwait);
    if (std::get<0>(ready)) co_return;
    Descriptor connection(accept4(listener.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!connection.is_open() || connections.running() >= kConnectionsMax) continue;
    connections.Spawn(ServeConnection(loop, std::move(connection), credentials, table));
  }
}

Descriptor Listen(const Endpoint& endpoint) {
  const SocketAddress address(endpoint);
  Descriptor listener(socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(listener.get(), address.data(), address.size()) != 0 || listen(listener.get(), kBacklog) != 0) {
    std::fprintf(stderr, "%s: %s\n", endpoint.ToString().c_str(), std::strerror(errno));
    return Descriptor();
  }
  return listener;
}

int Main(int count, char** arguments) {
  if (count != 4 && count != 5) {
    std::fprintf(stderr, "usage: bench_dot_responder ADDRESS:PORT CERTIFICATE_FILE KEY_FILE [TABLE_FILE]\n");
    return 1;
  }
  const auto table = count == 5 ? AnswerTable::Load(arguments[4]) : AnswerTable();
  if (!table) {
    std::fprintf(stderr, "%s: not a table of answers\n", arguments[4]);
    return 1;
  }
  std::signal(SIGPIPE, SIG_IGN);
  const auto endpoint = Endpoint::Parse(arguments[1]);
  if (!endpoint.ok()) {
    std::fprintf(stderr, "%s: not an address with a port\n", arguments[1]);
    return 1;
  }
  auto credentials = TlsServerCredentials::Create(ReadFile(arguments[2]), ReadFile(arguments[3]));
  if (!credentials.ok()) {
    std::fprintf(stderr, "%s\n", credentials.status().ToString().c_str());
    return 1;
  }
  const Descriptor datagrams = BindBlocking(*endpoint);
  Descriptor listening = Listen(*endpoint);
  if (!datagrams.is_open() || !listening.is_open()) return 2;

  // It serves until it is killed: nothing here outlives the process.
  std::thread(ServeDatagrams<decltype(&WriteAnswer)>, datagrams.get(), &WriteAnswer).detach();
  asio::io_context loop(1);
  Listener listener(loop.get_executor(), listening.Release());
  TaskGroup connections(loop);
  connections.Spawn(AcceptConnections(loop, connections, listener, *credentials, *table));
  loop.run();
  return 5;
}

}  // namespace
}  // namespace dotward::bench

int main(int count, char** arguments) { return dotward::bench::Main(count, arguments); }
