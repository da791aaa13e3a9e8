#include "upstream/datagram_upstream.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <asio/posix/basic_stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "base/await.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/units.h"
#include "dns/query_builder.h"
#include "dns/scan.h"
#include "dns/wire.h"
#include "net/descriptor.h"
#include "net/socket_address.h"

namespace dotward {
namespace {

SteadyTime Now() { return std::chrono::steady_clock::now(); }

absl::Status Unreachable() { return absl::UnavailableError(StrCat("cannot be reached: ", std::strerror(errno))); }

// A socket that takes datagrams from `peer` alone, at a port that the kernel draws at random.
absl::StatusOr<Descriptor> OpenSocket(const Endpoint& peer) {
  const SocketAddress address(peer);
  Descriptor descriptor(socket(address.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!descriptor.is_open()) {
    return absl::ResourceExhaustedError(StrCat("cannot open a socket: ", std::strerror(errno)));
  }
  // Without it the kernel keeps "no route to host" to itself. A kernel that knows it not reports the rest.
  const int on = 1;
  if (address.family() == AF_INET6) {
    setsockopt(descriptor.get(), IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
  } else {
    setsockopt(descriptor.get(), IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
  }
  if (connect(descriptor.get(), address.data(), address.size()) != 0) return Unreachable();
  return descriptor;
}

// A server that could not read the query may answer with an error and no question.
bool IsBareError(OctetView datagram, uint16_t id) {
  const uint16_t flags = ReadU16(&datagram[header::kFlags]);
  return ReadU16(&datagram[header::kId]) == id && (flags & header::kQr) != 0 && (flags & 0xfU) != 0 &&
         ReadU16(&datagram[header::kQdCount]) == 0;
}

UpstreamQuery RootServersQuery() {
  UpstreamQuery query;
  query.type = rr_type::kNs;
  return query;
}

}  // namespace

// A query on its way: sent from one socket at a time, a few times at the most, until there is an answer or nobody wants
// it any more.
class DatagramUpstream::Flight final : public AttemptHolder {
 public:
  Flight(DatagramUpstream& server, Attempt& attempt_in, Purpose purpose_in)
      : attempt(&attempt_in),
        purpose(purpose_in),
        patience(server.FirstPatience()),
        wakeup(server.loop_.get_executor()),
        timeout(server.timeouts_, wakeup),
        readers(server.loop_) {
    attempt->HeldBy(this);
  }
  ~Flight() {
    if (attempt != nullptr) attempt->HeldBy(nullptr);
  }

  bool wanted() const { return attempt != nullptr; }

  // Nobody waits any more: the socket goes, and with it whatever may still come.
  void Release(Attempt& /*attempt*/) override { Land(); }
  // The attempt is somebody else's, or done.
  Attempt& Land() {
    wakeup.Notify();
    return *std::exchange(attempt, nullptr);
  }

  Attempt* attempt;
  const Purpose purpose;
  Duration patience;  // from the last send to the next
  uint16_t id = 0;    // of the last send
  unsigned sends = 0;
  SteadyTime sent_at{};
  size_t mismatches = 0;
  bool send_again_now = false;
  std::optional<asio::posix::basic_stream_descriptor<Executor>> socket;
  Wakeup wakeup;  // wakes Fly
  Timeout timeout;
  TaskGroup readers;
};

DatagramUpstream::DatagramUpstream(asio::io_context& loop, Timeouts& timeouts, Options options,
                                   std::unique_ptr<UpstreamServer> over_tcp)
    : UpstreamServer(loop, timeouts, std::move(options.name), options.endpoint, QueryTransport::kUdp),
      retry_min_(options.retry_min),
      over_tcp_(std::move(over_tcp)),
      tasks_(loop) {}

DatagramUpstream::~DatagramUpstream() {
  while (!waiting_.empty()) waiting_.PopFront().HeldBy(nullptr);
}

void DatagramUpstream::Start(Attempt& attempt, SteadyTime now) {
  attempt.started_at = now;
  if (closed_) return Fail(attempt, Error("it is being closed"));
  // A failure of long ago says little: the query is a try like any other.
  if (state() == UpstreamState::kFailing && now - back_off_.failed_at() < Limits::kFailureRecent) {
    return Fail(attempt, last_error());
  }
  if (flights_.size() < Limits::kDatagramsInFlightMax) return Launch(attempt, Purpose::kQuery);
  if (waiting_.size() >= Limits::kDatagramsWaitingMax) return Fail(attempt, Error("too many queries wait for it"));
  attempt.HeldBy(this);
  waiting_.PushBack(attempt);
}

void DatagramUpstream::Release(Attempt& attempt) { waiting_.Remove(attempt); }

void DatagramUpstream::Launch(Attempt& attempt, Purpose purpose) {
  if (!std::exchange(attempt.counted, true)) {
    (attempt.own ? record_.counters.probes : record_.counters.queries).Add();
  }
  auto flight = std::make_unique<Flight>(*this, attempt, purpose);
  flights_.insert(flight.get());
  tasks_.Spawn(Fly(std::move(flight)));
}

void DatagramUpstream::LaunchWaiting() {
  while (!closed_ && !waiting_.empty() && flights_.size() < Limits::kDatagramsInFlightMax) {
    Launch(waiting_.PopFront(), Purpose::kQuery);
  }
}

Task<> DatagramUpstream::Fly(std::unique_ptr<Flight> owned) {
  Flight& flight = *owned;
  while (flight.wanted()) {
    const absl::Status sent = Send(flight);
    if (!sent.ok()) {
      Refuse(flight, sent, Now());
      break;
    }
    flight.readers.Spawn(Receive(flight));
    flight.timeout.Set(flight.sent_at + std::chrono::duration_cast<SteadyTime::duration>(flight.patience));
    while (flight.wanted() && !flight.send_again_now && !flight.timeout.expired()) co_await flight.wakeup.Wait();
    if (flight.wanted() && flight.timeout.expired()) Missed();
    flight.timeout.Cancel();
    // The last socket stays open for as long as somebody waits: the server may be asking others itself.
    while (flight.wanted() && flight.sends >= Limits::kDatagramSendsMax) co_await flight.wakeup.Wait();
    asio::error_code ignored;
    flight.socket->close(ignored);
    co_await flight.readers.Join();
    flight.patience *= 2;
    flight.send_again_now = false;
  }
  flights_.erase(&flight);
  LaunchWaiting();
}

absl::Status DatagramUpstream::Send(Flight& flight) {
  flight.sent_at = Now();
  flight.mismatches = 0;
  if (flight.sends == 0) flight.attempt->Sent(flight.sent_at);
  if (flight.sends++ != 0 && flight.purpose == Purpose::kQuery) record_.counters.retried.Add();
  ASSIGN_OR_RETURN(Descriptor descriptor, OpenSocket(record_.endpoint));

  std::array<uint8_t, kBuiltQueryOctetsMax> query;
  flight.id = ids_.Next();
  const size_t query_octets = flight.attempt->query().Write(flight.id, query);
  ssize_t octets = 0;
  do {
    octets = send(descriptor.get(), query.data(), query_octets, MSG_NOSIGNAL);
  } while (octets < 0 && errno == EINTR);
  // What the kernel has no room for at the moment is as good as lost on the way: it is sent again.
  const bool full = octets < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS);
  if (octets < 0 && !full) return Unreachable();
  flight.attempt->sends = static_cast<uint8_t>(flight.sends);
  flight.socket.emplace(loop_.get_executor(), descriptor.Release());
  return absl::OkStatus();
}

Task<> DatagramUpstream::Receive(Flight& flight) {
  while (flight.wanted() && flight.socket->is_open()) {
    const auto [waited] = co_await flight.socket->async_wait(asio::posix::descriptor_base::wait_read, kAwait);
    if (waited || !flight.wanted() || !flight.socket->is_open()) break;
    const ssize_t octets = recv(flight.socket->native_handle(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    const SteadyTime now = Now();
    if (octets >= 0) {
      HandleDatagram(flight, OctetView(buffer_).first(static_cast<size_t>(octets)), now);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
      Refuse(flight, Unreachable(), now);
    }
  }
}

void DatagramUpstream::HandleDatagram(Flight& flight, OctetView datagram, SteadyTime now) {
  const bool matches = flight.attempt->query().IsAnsweredBy(datagram, flight.id);
  if (!matches && (datagram.size() < kHeaderOctets || !IsBareError(datagram, flight.id))) {
    // RFC 5452 §9.1: no response to this query. The true one may come yet.
    record_.counters.mismatched.Add();
    if (++flight.mismatches > Limits::kDatagramMismatchesMax) AskOverTcp(flight, now);
    return;
  }
  Heard(now);
  const bool truncated = (ReadU16(&datagram[header::kFlags]) & header::kTc) != 0;
  if (truncated) return AskOverTcp(flight, now);
  ScannedMessage scan;
  if (datagram.size() > Limits::kDatagramOctetsMax ||
      ScanMessage(datagram, MessageSide::kResponse, scan) != ScanFault::kNone) {
    // A forged one must not end the query: over TCP nobody can put one in.
    record_.counters.malformed.Add();
    return AskOverTcp(flight, now);
  }
  UpstreamResponse response;
  response.octets.assign(datagram.begin(), datagram.end());
  response.upstream = record_.name;
  response.origin = record_.origin;
  response.received_at = now;
  flight.Land().CompleteUnparsed(std::move(response), record_);
}

void DatagramUpstream::AskOverTcp(Flight& flight, SteadyTime now) {
  Attempt& attempt = flight.Land();
  if (flight.purpose == Purpose::kProbe) {
    // That it answers is all that was asked.
    return attempt.Complete(Error("a probe's answer is not read"));
  }
  attempt.HeldBy(nullptr);
  attempt.sends = 0;  // there
  over_tcp_->Tend(now, Urgency::kNobodyElse);
  over_tcp_->Start(attempt, now);
}

void DatagramUpstream::Refuse(Flight& flight, const absl::Status& error, SteadyTime now) {
  const absl::Status status = Error(MessageOf(error));
  // A lack of our own says nothing about the server; and while it is failing, the probes alone count its failures.
  const bool judges =
      !absl::IsResourceExhausted(error) && (state() != UpstreamState::kFailing || flight.purpose == Purpose::kProbe);
  if (judges) {
    Failed("cannot reach upstream", status, flight.sent_at, now);
  }
  Attempt& attempt = flight.Land();
  if (flight.purpose == Purpose::kProbe) return attempt.Complete(status);
  Fail(attempt, status);
}

Duration DatagramUpstream::FirstPatience() const {
  return std::max(retry_min_, std::min<Duration>(2 * record_.latency.smoothed(), Limits::kDatagramRetryMax));
}

void DatagramUpstream::Heard(SteadyTime now) {
  if (missed_ >= Limits::kDatagramMissedMax) CountReturn();
  missed_ = 0;
  back_off_.Succeeded();
  SetState(UpstreamState::kConnected, now);
  if (!TakeNews()) return;
  Log(LogLevel::kInfo, "upstream answers", {{"upstream", *record_.name}, {"address", record_.endpoint.ToString()}});
}

void DatagramUpstream::Missed() {
  ++missed_;
  if (missed_ >= Limits::kDatagramMissedMax && state() != UpstreamState::kFailing) StartProbe();
}

void DatagramUpstream::Failed(std::string_view event, const absl::Status& error, SteadyTime started, SteadyTime now) {
  if (closed_) return;
  back_off_.Failed(BackOff::Failure::kConnect, started, now, ids_.Next());
  SetState(UpstreamState::kFailing, now);
  ReportTrouble(event, error, now);
}

void DatagramUpstream::StartProbe() {
  if (closed_ || std::exchange(probing_, true)) return;
  tasks_.Spawn(Probe());
}

Task<> DatagramUpstream::Probe() {
  const UpstreamQuery query = RootServersQuery();
  const SteadyTime started = Now();
  // One that is in use may have lost a packet; one that is failing is asked again soon.
  const bool failing = state() == UpstreamState::kFailing;
  const Duration patience = failing ? std::max<Duration>(back_off_.urgent_interval(), FirstPatience())
                                    : FirstPatience() * Limits::kDatagramProbePatience;
  Wakeup wakeup(loop_.get_executor());
  Attempt attempt(WireQuery(query, QueryTransport::kUdp), wakeup);
  Timeout timeout(timeouts_, wakeup);
  attempt.started_at = started;
  attempt.own = true;
  Launch(attempt, Purpose::kProbe);
  timeout.Set(started + std::chrono::duration_cast<SteadyTime::duration>(patience));
  while (!attempt.done() && !timeout.expired() && !closed_) co_await wakeup.Wait();
  probing_ = false;
  if (attempt.done() || closed_) co_return;
  attempt.Withdraw();
  // Somebody else's query may have been answered meanwhile, whatever became of the probe.
  const bool answered = failing ? state() != UpstreamState::kFailing : missed_ < Limits::kDatagramMissedMax;
  if (answered) co_return;
  Failed("upstream does not answer",
         Error(StrCat("no answer to anything, not even to \". NS\" within ", FormatDuration(patience))), started,
         Now());
}

UpstreamServer::Readiness DatagramUpstream::Tend(SteadyTime now, Urgency urgency) {
  if (closed_) return Readiness::kResting;
  if (state() == UpstreamState::kFailing) {
    const bool due = urgency == Urgency::kNobodyElse ? back_off_.MayTryUrgentlyAt(now) : back_off_.MayTryAt(now);
    if (due) StartProbe();
  }
  if (state() == UpstreamState::kFailing) {
    return now - back_off_.failed_at() < Limits::kFailureRecent ? Readiness::kResting : Readiness::kDoubtful;
  }
  return missed_ >= Limits::kDatagramMissedMax ? Readiness::kDoubtful : Readiness::kReady;
}

void DatagramUpstream::NetworkChanged(SteadyTime now) {
  if (closed_) return;
  over_tcp_->NetworkChanged(now);
  missed_ = 0;
  back_off_.Succeeded();
  if (state() == UpstreamState::kFailing) SetState(UpstreamState::kIdle, now);
  // A connected socket keeps the address that it had: what is under way leaves again from the new one.
  for (Flight* flight : flights_) {
    flight->send_again_now = true;
    flight->wakeup.Notify();
  }
}

void DatagramUpstream::Close() {
  if (std::exchange(closed_, true)) return;
  over_tcp_->Close();
  const absl::Status closing = Error("it is being closed");
  while (!waiting_.empty()) Fail(waiting_.PopFront(), closing);
  for (Flight* flight : flights_) {
    if (!flight->wanted()) continue;
    Attempt& attempt = flight->Land();
    if (flight->purpose == Purpose::kProbe) {
      attempt.Complete(closing);
    } else {
      Fail(attempt, closing);
    }
  }
}

Task<> DatagramUpstream::Join() {
  co_await tasks_.Join();
  co_await over_tcp_->Join();
}

void DatagramUpstream::AddToSnapshot(UpstreamSnapshot& snapshot) const {
  const UpstreamSnapshot tcp = over_tcp_->Snapshot();
  snapshot.in_flight = flights_.size() + waiting_.size() + tcp.in_flight;
  // What went over TCP is this server's work all the same; latencies are those of UDP alone.
  snapshot.connections_open = tcp.connections_open;
  snapshot.connections_connecting = tcp.connections_connecting;
  snapshot.connections_busy = tcp.connections_busy;
  snapshot.connections_idle = tcp.connections_idle;
  snapshot.connections = tcp.connections;
  snapshot.connect_failures = tcp.connect_failures;
  snapshot.connections_lost = tcp.connections_lost;
  snapshot.connections_suspected = tcp.connections_suspected;
  snapshot.responses += tcp.responses;
  snapshot.nxdomain += tcp.nxdomain;
  snapshot.servfail += tcp.servfail;
  snapshot.failed += tcp.failed;
  snapshot.malformed += tcp.malformed;
  snapshot.mismatched += tcp.mismatched;
  snapshot.late += tcp.late;
  if (snapshot.last_error.empty()) snapshot.last_error = tcp.last_error;
}

}  // namespace dotward
