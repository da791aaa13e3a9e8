#include "faults/client_load.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "net/descriptor.h"
#include "net/socket_address.h"
#include "testing/messages.h"

namespace dotward {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kGuard{600};

std::string ZoneOfItsOwn(size_t number) { return "z" + std::to_string(number) + ".example."; }

void WaitFor(const std::atomic<size_t>& counter, size_t count, const char* what) {
  const Clock::time_point give_up = Clock::now() + kGuard;
  while (counter < count) {
    if (Clock::now() > give_up) {
      std::fprintf(stderr, "ClientLoad: %zu of %zu %s\n", counter.load(), count, what);
      std::abort();
    }
    std::this_thread::sleep_for(milliseconds(1));
  }
}

// The number in the first label of the question, "n123".
std::optional<size_t> NumberOf(OctetView message) {
  if (message.size() < kHeaderOctets + 2) return std::nullopt;
  const size_t length = message[kHeaderOctets];
  if (length < 2 || message.size() < kHeaderOctets + 1 + length || message[kHeaderOctets + 1] != 'n') {
    return std::nullopt;
  }
  size_t number = 0;
  for (size_t i = 1; i < length; ++i) number = number * 10 + static_cast<size_t>(message[kHeaderOctets + 1 + i] - '0');
  return number;
}

}  // namespace

class ClientLoad::Sockets {
 public:
  Sockets(const Endpoint& server, size_t count) {
    const SocketAddress peer(server);
    for (size_t i = 0; i < count; ++i) {
      descriptors_.emplace_back(socket(peer.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      const int octets = 4 << 20;
      setsockopt(descriptors_.back().get(), SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
      if (connect(descriptors_.back().get(), peer.data(), peer.size()) != 0) std::abort();
      poll_.push_back({.fd = descriptors_.back().get(), .events = POLLIN, .revents = 0});
    }
  }

  // False where the socket takes no more right now.
  bool Send(size_t number, const std::string& name) {
    const Octets query = MessageBuilder::Query(static_cast<uint16_t>(number), name, rr_type::kA).WithEdns({}).Build();
    const int descriptor = descriptors_[number % descriptors_.size()].get();
    return send(descriptor, query.data(), query.size(), 0) == static_cast<ssize_t>(query.size());
  }
  void Wait(milliseconds timeout) { poll(poll_.data(), poll_.size(), static_cast<int>(timeout.count())); }
  template <typename Take>
  void Receive(Take take) {
    std::array<uint8_t, 4096> datagram;
    for (const Descriptor& descriptor : descriptors_) {
      while (true) {
        const ssize_t octets = recv(descriptor.get(), datagram.data(), datagram.size(), 0);
        if (octets < 0) break;
        take(OctetView(datagram.data(), static_cast<size_t>(octets)));
      }
    }
  }

 private:
  std::vector<Descriptor> descriptors_;
  std::vector<pollfd> poll_;
};

ClientLoad::Options ClientLoad::Steady(double rate, milliseconds duration) {
  return {.count = static_cast<size_t>(rate * std::chrono::duration<double>(duration).count()), .rate = rate};
}

ClientLoad::ClientLoad(const Endpoint& server, Options options)
    : server_(server), options_(std::move(options)), outcomes_(options_.count) {
  thread_ = std::thread(&ClientLoad::Run, this);
}
ClientLoad::~ClientLoad() { Finish(); }

void ClientLoad::WaitForSent(size_t count) const { WaitFor(sent_, count, "queries sent"); }
void ClientLoad::WaitForGood(size_t count) const { WaitFor(good_, count, "good answers"); }

const std::vector<ClientOutcome>& ClientLoad::Finish() {
  if (thread_.joinable()) {
    thread_.join();
    outcomes_.resize(sent_);
  }
  return outcomes_;
}

void ClientLoad::Run() {
  Sockets sockets(server_, options_.sockets);
  const auto zone = options_.zone ? options_.zone : ZoneOfItsOwn;
  const Clock::time_point start = Clock::now();
  const auto due = [&](size_t number) {
    if (options_.rate == 0) return start;
    return start + std::chrono::duration_cast<Clock::duration>(
                       std::chrono::duration<double>(static_cast<double>(number) / options_.rate));
  };
  size_t next = 0, answered = 0;
  Clock::time_point last_sent = start;
  while (true) {
    Clock::time_point now = Clock::now();
    const auto room = [&] { return options_.in_flight_max == 0 || next - answered < options_.in_flight_max; };
    const size_t end = stopped_ ? next : outcomes_.size();
    while (next < end && due(next) <= now && room()) {
      outcomes_[next].sent_at = last_sent = Clock::now();
      if (!sockets.Send(next, "n" + std::to_string(next) + "." + zone(next))) break;
      sent_ = ++next;
    }
    now = Clock::now();
    milliseconds timeout(200);
    if (next < end) {
      if (room()) timeout = std::chrono::ceil<milliseconds>(std::max(due(next) - now, Clock::duration(0)));
    } else if (answered == next || now >= last_sent + options_.patience) {
      return;
    }
    sockets.Wait(std::min(timeout, milliseconds(200)));
    now = Clock::now();
    sockets.Receive([&](OctetView message) {
      const std::optional<size_t> number = NumberOf(message);
      if (!number || *number >= next) return;
      ClientOutcome& outcome = outcomes_[*number];
      if (++outcome.replies != 1) return;
      ++answered;
      outcome.replied_at = now;
      const std::optional<MessageRead> read = ReadMessage(message);
      if (!read) return;
      outcome.rcode = read->rcode;
      outcome.has_records = !read->answers.empty();
      const EdnsOption* const error = read->FindOption(edns_option::kEde);
      if (error != nullptr && error->data.size() >= 2) outcome.extended_error = error->data[0] << 8 | error->data[1];
      if (outcome.good()) ++good_;
    });
  }
}

ClientReport Summarize(const std::vector<ClientOutcome>& outcomes,
                       const std::function<bool(const ClientOutcome&)>& which) {
  ClientReport report;
  std::vector<milliseconds> waits;
  for (const ClientOutcome& outcome : outcomes) {
    if (which && !which(outcome)) continue;
    ++report.sent;
    if (!outcome.answered()) {
      ++report.lost;
      continue;
    }
    waits.push_back(outcome.wait());
    report.duplicates += outcome.replies - 1;
    if (outcome.good()) ++report.good;
    if (outcome.rcode == 2) {
      ++report.failed;
      if (outcome.extended_error < 0) ++report.failed_unexplained;
    }
  }
  if (waits.empty()) return report;
  std::sort(waits.begin(), waits.end());
  report.median = waits[waits.size() / 2];
  report.p99 = waits[waits.size() * 99 / 100];
  report.longest = waits.back();
  return report;
}

std::string ClientReport::ToString() const {
  return std::to_string(sent) + " queries, " + std::to_string(lost) + " lost, " + std::to_string(good) + " good, " +
         std::to_string(failed) + " SERVFAIL (" + std::to_string(failed_unexplained) + " without EDE), " +
         std::to_string(duplicates) + " duplicates; waits: median " + std::to_string(median.count()) + " ms, p99 " +
         std::to_string(p99.count()) + " ms, longest " + std::to_string(longest.count()) + " ms";
}

void PrintFigure(const std::string& what, const std::string& figure) {
  std::printf("[   FIGURE ] %s: %s\n", what.c_str(), figure.c_str());
  std::fflush(stdout);
}
void PrintFigure(const std::string& what, milliseconds figure) {
  PrintFigure(what, std::to_string(figure.count()) + " ms");
}

}  // namespace dotward
