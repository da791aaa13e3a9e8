// The load of the benchmark: it asks one server over UDP, checks every reply against its question, and prints one line
// of JSON with what came of it. It never has more than --window queries open, and it ends: after --seconds or --count
// or when it is told by SIGTERM, and kReplyTime for the last replies.
//
//   bench_load --server ADDRESS:PORT (--names FILE | --unique SUFFIX --first N [--among N]) [--window N] [--burst N]
//              [--rate N] [--seconds S] [--count N] [--edns | --dnssec] [--from ADDRESS] [--denials]
//
// --from is the address that it asks from, --dnssec asks for signatures. With --denials a good answer is that the name
// does not exist.
//
// Names that are unique are counted up from --first, or with --among drawn at random from that many of them, of which
// nothing is kept here: a list of a million would take from the caches that the server's memory goes through.
//
// Without --rate it saturates the server: as soon as --burst replies have come, it asks as many new questions, so that
// the server has always --window queries to work on. With --rate it asks that often, evenly in time, and reports how
// long the replies took. "aged" are the answers whose TTL is no longer the upstream's: those that came from a cache,
// where everything in it has been there for a second.

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/ip_address.h"
#include "bench/octets.h"
#include "net/descriptor.h"
#include "net/socket_address.h"

namespace dotward::bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr size_t kBatch = 64;
constexpr size_t kQueryOctetsMax = 300;
constexpr size_t kReplyOctetsMax = 4096;
constexpr int kKernelBufferOctets = 4 << 20;
// The low bits of an ID are the slot that the query is kept in, the others tell its users apart.
constexpr unsigned kSlotBits = 12;
constexpr size_t kSlots = size_t{1} << kSlotBits;
constexpr size_t kCountMax = 1'000'000'000;
constexpr uint64_t kAmongMax = uint64_t{1} << 32U;
constexpr std::chrono::seconds kReplyTime{3};
constexpr std::chrono::milliseconds kTick{50};

struct Options {
  Endpoint server;
  std::string names_file;
  std::string unique_suffix;
  uint64_t first = 0;
  uint64_t among = 0;  // 0: each once, in order
  size_t window = 200;
  size_t burst = 32;
  uint64_t rate = 0;
  uint64_t seconds = 3;
  uint64_t count = kCountMax;
  Edns edns = Edns::kAbsent;
  std::optional<Endpoint> from;
  bool denials = false;
};

// The questions in their order: the names of a file again and again, or names that never come twice, or a random choice
// of them.
class Questions {
 public:
  static std::optional<Questions> Create(const Options& options) {
    Questions questions;
    if (options.names_file.empty()) {
      questions.queries_ = {BuildQuery(std::string(kDigits, '0') + "." + options.unique_suffix, options.edns)};
      questions.unique_ = true;
      questions.next_ = options.first;
      questions.first_ = options.first;
      questions.among_ = options.among;
    } else {
      std::ifstream file(options.names_file);
      for (std::string name; std::getline(file, name);) questions.queries_.push_back(BuildQuery(name, options.edns));
    }
    const bool bad = std::ranges::any_of(questions.queries_, [](const std::vector<uint8_t>& query) {
      return query.empty() || query.size() > kQueryOctetsMax;
    });
    if (questions.queries_.empty() || bad) return std::nullopt;
    return questions;
  }

  // The next query, with ID 0. Good until the next call.
  std::span<const uint8_t> Next() {
    if (!unique_) return queries_[next_++ % queries_.size()];
    constexpr std::string_view kHex = "0123456789abcdef";
    uint64_t number = among_ == 0 ? next_++ : first_ + RandomBelow(among_);
    for (size_t i = kDigits; i > 0; --i, number >>= 4) {
      queries_[0][kHeaderOctets + i] = static_cast<uint8_t>(kHex[number & 0xf]);
    }
    return queries_[0];
  }

 private:
  static constexpr size_t kDigits = 12;

  // `limit` is at most kAmongMax, so that the product fits.
  uint64_t RandomBelow(uint64_t limit) { return ((random_() >> 32U) * limit) >> 32U; }

  std::vector<std::vector<uint8_t>> queries_;
  bool unique_ = false;
  uint64_t next_ = 0;
  uint64_t first_ = 0;
  uint64_t among_ = 0;
  // Another choice each time, or a round would find what the one before it has left in the processor's caches.
  std::mt19937_64 random_{std::random_device{}()};
};

struct Results {
  uint64_t sent = 0;
  uint64_t answered = 0;    // with NOERROR and at least one record
  uint64_t aged = 0;        // of the answered, those whose first TTL is not the upstream's
  uint64_t failed = 0;      // answered otherwise
  uint64_t lost = 0;        // not answered within kReplyTime
  uint64_t unexpected = 0;  // replies to nothing that was asked
  uint64_t skipped = 0;     // not asked in time, because the window was full
  std::vector<uint32_t> latencies_ns;
};

// The queries that are open, each in a slot that its ID names.
class OpenQueries {
 public:
  explicit OpenQueries(size_t window) : slots_(window) {
    for (size_t i = 0; i < window; ++i) free_.push_back(static_cast<uint16_t>(window - 1 - i));
  }

  size_t free() const { return free_.size(); }
  size_t open() const { return slots_.size() - free_.size(); }

  // Takes a slot, which must be free, for `query`; gives the octets to send, with an ID.
  std::span<uint8_t> Open(std::span<const uint8_t> query, Clock::time_point now) {
    const uint16_t number = free_.back();
    free_.pop_back();
    Slot& slot = slots_[number];
    slot.generation = static_cast<uint16_t>(slot.generation + (1U << kSlotBits));
    slot.octets = query.size();
    slot.asked_at = now;
    slot.open = true;
    std::ranges::copy(query, slot.query.begin());
    const auto id = static_cast<uint16_t>(slot.generation | number);
    slot.query[0] = static_cast<uint8_t>(id >> 8);
    slot.query[1] = static_cast<uint8_t>(id & 0xff);
    return std::span(slot.query).first(slot.octets);
  }

  // Frees the slot that `reply` belongs to and gives when it was asked; nullopt where it matches nothing that is open.
  std::optional<Clock::time_point> Close(std::span<const uint8_t> reply) {
    if (reply.size() < kHeaderOctets || (reply[kFlagsAt] & kResponseFlag) == 0) return std::nullopt;
    const size_t number = (size_t{reply[0]} << 8 | reply[1]) & (kSlots - 1);
    if (number >= slots_.size() || !slots_[number].open) return std::nullopt;
    Slot& slot = slots_[number];
    const auto question = Question(std::span<const uint8_t>(slot.query).first(slot.octets));
    const size_t end = kHeaderOctets + question->size();
    const bool same = reply.size() >= end && reply[0] == slot.query[0] && reply[1] == slot.query[1] &&
                      std::memcmp(&reply[kHeaderOctets], question->data(), question->size()) == 0;
    if (!same) return std::nullopt;
    Free(number);
    return slot.asked_at;
  }

  // Gives up what was asked before `limit`; the result is how many.
  size_t Expire(Clock::time_point limit) {
    size_t expired = 0;
    for (size_t i = 0; i < slots_.size(); ++i) {
      if (!slots_[i].open || slots_[i].asked_at >= limit) continue;
      Free(i);
      ++expired;
    }
    return expired;
  }

 private:
  struct Slot {
    std::array<uint8_t, kQueryOctetsMax> query;
    size_t octets = 0;
    Clock::time_point asked_at;
    uint16_t generation = 0;
    bool open = false;
  };

  void Free(size_t number) {
    slots_[number].open = false;
    free_.push_back(static_cast<uint16_t>(number));
  }

  std::vector<Slot> slots_;
  // The slot that was freed last is used first: what is warm stays warm.
  std::vector<uint16_t> free_;
};

volatile std::sig_atomic_t told_to_end = 0;

class Load {
 public:
  Load(const Options& options, Questions questions, Descriptor connected)
      : options_(options),
        questions_(std::move(questions)),
        socket_(std::move(connected)),
        queries_(options.rate == 0 ? options.window : kSlots),
        replies_(std::make_unique<Replies>()) {}

  // False where the server's port is closed.
  bool Run() {
    const Clock::time_point start = Clock::now();
    now_ = start;
    next_tick_ = start + kTick;
    end_ = start + std::chrono::seconds(options_.seconds);
    const bool reachable = options_.rate == 0 ? Saturate() : Pace();
    results_.lost += queries_.Expire(Clock::time_point::max());
    elapsed_ = last_reply_ - start;
    return reachable;
  }

  void Print() {
    auto& latencies = results_.latencies_ns;
    const auto quantile = [&latencies](double part) -> double {
      if (latencies.empty()) return 0;
      const auto at = static_cast<std::ptrdiff_t>(part * static_cast<double>(latencies.size() - 1));
      std::nth_element(latencies.begin(), latencies.begin() + at, latencies.end());
      return latencies[static_cast<size_t>(at)] / 1000.0;
    };
    const double seconds = std::chrono::duration<double>(elapsed_).count();
    std::printf("{\"sent\": %" PRIu64 ", \"answered\": %" PRIu64 ", \"aged\": %" PRIu64 ", \"failed\": %" PRIu64
                ", \"lost\": %" PRIu64 ", \"unexpected\": %" PRIu64 ", \"skipped\": %" PRIu64
                ", \"seconds\": %.6f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f}\n",
                results_.sent, results_.answered, results_.aged, results_.failed, results_.lost, results_.unexpected,
                results_.skipped, seconds, quantile(0.5), quantile(0.99), quantile(0.999), quantile(1));
  }

 private:
  struct Replies {
    std::array<std::array<uint8_t, kReplyOctetsMax>, kBatch> octets;
    std::array<iovec, kBatch> parts;
    std::array<mmsghdr, kBatch> headers{};
  };

  bool AskingIsOver() const { return results_.sent >= options_.count || now_ >= end_ || told_to_end != 0; }
  bool WaitingIsOver() const { return AskingIsOver() && queries_.open() == 0; }

  bool Saturate() {
    while (!WaitingIsOver()) {
      if (!AskingIsOver() && (queries_.free() >= options_.burst || queries_.open() == 0)) {
        while (queries_.free() > 0 && !AskingIsOver()) {
          if (!Ask(std::min(queries_.free(), kBatch))) return false;
        }
      }
      if (!TakeReplies(kTick)) return false;
    }
    return true;
  }

  bool Pace() {
    // A sleep is else up to 50 µs longer than it was asked to be.
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    const nanoseconds interval(1'000'000'000 / options_.rate);
    Clock::time_point due = now_;
    while (!WaitingIsOver()) {
      size_t count = 0;
      for (; due <= now_ && count < kBatch && !AskingIsOver(); due += interval) ++count;
      if (count > queries_.free()) {
        results_.skipped += count - queries_.free();
        count = queries_.free();
      }
      if (count > 0 && !Ask(count)) return false;
      const nanoseconds pause = AskingIsOver() ? nanoseconds(kTick) : std::max(nanoseconds{0}, due - Clock::now());
      if (!TakeReplies(pause)) return false;
    }
    return true;
  }

  bool Ask(size_t count) {
    count = std::min<size_t>(count, options_.count - results_.sent);
    std::array<iovec, kBatch> parts;
    std::array<mmsghdr, kBatch> headers{};
    for (size_t i = 0; i < count; ++i) {
      const std::span<uint8_t> query = queries_.Open(questions_.Next(), now_);
      parts[i] = {.iov_base = query.data(), .iov_len = query.size()};
      headers[i].msg_hdr.msg_iov = &parts[i];
      headers[i].msg_hdr.msg_iovlen = 1;
    }
    results_.sent += count;
    for (size_t sent = 0; sent < count;) {
      const int done = sendmmsg(socket_.get(), &headers[sent], static_cast<unsigned>(count - sent), 0);
      if (done < 0 && errno != EINTR) return Refused("sendmmsg");
      sent += done > 0 ? static_cast<size_t>(done) : 0;
    }
    return true;
  }

  // Waits at most `patience` and takes one batch.
  bool TakeReplies(nanoseconds patience) {
    if (patience > nanoseconds{0}) {
      pollfd readable = {.fd = socket_.get(), .events = POLLIN, .revents = 0};
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience);
      const timespec limit = {.tv_sec = seconds.count(), .tv_nsec = (patience - seconds).count()};
      ppoll(&readable, 1, &limit, nullptr);
    }
    for (size_t i = 0; i < kBatch; ++i) {
      replies_->parts[i] = {.iov_base = replies_->octets[i].data(), .iov_len = kReplyOctetsMax};
      replies_->headers[i].msg_hdr.msg_iov = &replies_->parts[i];
      replies_->headers[i].msg_hdr.msg_iovlen = 1;
    }
    const int received = recvmmsg(socket_.get(), replies_->headers.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (received < 0 && errno != EAGAIN && errno != EINTR) return Refused("recvmmsg");
    now_ = Clock::now();
    for (size_t i = 0; received > 0 && i < static_cast<size_t>(received); ++i) {
      Judge(std::span<const uint8_t>(replies_->octets[i].data(), replies_->headers[i].msg_len));
    }
    if (now_ >= next_tick_) {
      next_tick_ = now_ + kTick;
      results_.lost += queries_.Expire(now_ - kReplyTime);
    }
    return true;
  }

  void Judge(std::span<const uint8_t> reply) {
    const auto asked_at = queries_.Close(reply);
    if (!asked_at) {
      ++results_.unexpected;
      return;
    }
    last_reply_ = now_;
    if (options_.rate != 0) {
      results_.latencies_ns.push_back(static_cast<uint32_t>(std::min<int64_t>((now_ - *asked_at).count(), UINT32_MAX)));
    }
    // The echo has no records, and its RCODE is the query's: whoever measures it counts `failed` as answered.
    const uint8_t rcode = reply[kRcodeAt] & kRcodeMask;
    const bool good =
        options_.denials ? rcode == kNxDomain : rcode == 0 && (reply[kAnswerCountAt] | reply[kAnswerCountAt + 1]) != 0;
    ++(good ? results_.answered : results_.failed);
    if (good && IsAged(reply)) ++results_.aged;
  }

  bool Refused(const char* call) {
    std::fprintf(stderr, "%s: %s: %s\n", options_.server.ToString().c_str(), call, std::strerror(errno));
    return false;
  }

  const Options options_;
  Questions questions_;
  Descriptor socket_;
  OpenQueries queries_;
  std::unique_ptr<Replies> replies_;
  Results results_;
  Clock::time_point now_;  // read once a batch
  Clock::time_point end_;
  Clock::time_point next_tick_;
  Clock::time_point last_reply_;
  nanoseconds elapsed_{0};
};

Descriptor Connect(const Endpoint& server, const std::optional<Endpoint>& from) {
  const SocketAddress address(server);
  Descriptor descriptor(socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto fail = [](const Endpoint& endpoint) {
    std::fprintf(stderr, "%s: %s\n", endpoint.ToString().c_str(), std::strerror(errno));
    return Descriptor();
  };
  if (!descriptor.is_open()) return fail(server);
  if (from) {
    const SocketAddress own(*from);
    if (bind(descriptor.get(), own.data(), own.size()) != 0) return fail(*from);
  }
  if (connect(descriptor.get(), address.data(), address.size()) != 0) return fail(server);
  const int octets = kKernelBufferOctets;
  setsockopt(descriptor.get(), SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
  setsockopt(descriptor.get(), SOL_SOCKET, SO_SNDBUF, &octets, sizeof(octets));
  return descriptor;
}

template <typename Number>
bool ParseNumber(std::string_view text, Number min, Number max, Number& out) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() && out >= min && out <= max;
}

std::optional<Options> ParseOptions(std::span<char*> arguments) {
  Options options;
  bool have_server = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view key = arguments[i];
    if (key == "--edns" || key == "--dnssec") {
      options.edns = key == "--edns" ? Edns::kPresent : Edns::kDnssecOk;
      continue;
    }
    if (key == "--denials") {
      options.denials = true;
      continue;
    }
    if (++i == arguments.size()) return std::nullopt;
    const std::string_view value = arguments[i];
    bool good = true;
    if (key == "--server") {
      const auto server = Endpoint::Parse(value);
      good = have_server = server.ok();
      if (good) options.server = *server;
    } else if (key == "--from") {
      const auto from = IpAddress::Parse(value);
      good = from.ok();
      if (good) options.from = Endpoint{*from, 0};
    } else if (key == "--names") {
      options.names_file = value;
    } else if (key == "--unique") {
      options.unique_suffix = value;
    } else if (key == "--first") {
      good = ParseNumber<uint64_t>(value, 0, uint64_t{1} << 48, options.first);
    } else if (key == "--among") {
      good = ParseNumber<uint64_t>(value, 1, kAmongMax, options.among);
    } else if (key == "--window") {
      good = ParseNumber<size_t>(value, 1, kSlots, options.window);
    } else if (key == "--burst") {
      good = ParseNumber<size_t>(value, 1, kSlots, options.burst);
    } else if (key == "--rate") {
      good = ParseNumber<uint64_t>(value, 1, 10'000'000, options.rate);
    } else if (key == "--seconds") {
      good = ParseNumber<uint64_t>(value, 1, 3600, options.seconds);
    } else if (key == "--count") {
      good = ParseNumber<uint64_t>(value, 1, kCountMax, options.count);
    } else {
      good = false;
    }
    if (!good) return std::nullopt;
  }
  if (!have_server || options.names_file.empty() == options.unique_suffix.empty()) return std::nullopt;
  return options;
}

int Main(std::span<char*> arguments) {
  const auto options = ParseOptions(arguments);
  if (!options) {
    std::fprintf(stderr,
                 "usage: bench_load --server ADDRESS:PORT (--names FILE | --unique SUFFIX --first N [--among N]) "
                 "[--window N] [--burst N] [--rate N] [--seconds S] [--count N] [--edns | --dnssec] [--from ADDRESS] "
                 "[--denials]\n");
    return 1;
  }
  auto questions = Questions::Create(*options);
  if (!questions) {
    std::fprintf(stderr, "bench_load: no names, or one that is none\n");
    return 1;
  }
  std::signal(SIGTERM, [](int) { told_to_end = 1; });
  Descriptor connected = Connect(options->server, options->from);
  if (!connected.is_open()) return 2;
  Load load(*options, *std::move(questions), std::move(connected));
  if (!load.Run()) return 2;
  load.Print();
  return 0;
}

}  // namespace
}  // namespace dotward::bench

int main(int count, char** arguments) {
  return dotward::bench::Main(std::span(arguments, static_cast<size_t>(count)).subspan(1));
}
