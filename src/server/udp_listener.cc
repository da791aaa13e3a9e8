#include "server/udp_listener.h"

#include <absl/status/status.h>

#include <algorithm>
#include <asio/experimental/awaitable_operators.hpp>
#include <memory>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "base/strings.h"
#include "server/source_filter.h"

namespace dotward {
namespace {

// Waiting costs two system calls, so after a batch of this size, during which more has probably come, it is cheaper to
// look again at once. After a smaller one the wait is right: it notices what came meanwhile.
constexpr size_t kLookAgainFrom = Limits::kUdpBatch / 4;

}  // namespace

// What a waiting query keeps of its datagram.
class UdpListener::LaterSink final : public ReplySink {
 public:
  LaterSink(UdpListener& listener, const UdpPath& path) : listener_(listener), path_(path) {}
  void Send(OctetView reply) override { listener_.SendLater(reply, path_); }

 private:
  UdpListener& listener_;
  const UdpPath path_;
};

UdpListener::UdpListener(ListenerContext& context, UdpSocket socket, UdpStatistics& statistics)
    : context_(context),
      socket_(std::move(socket)),
      statistics_(statistics),
      readiness_(context.loop.get_executor(), socket_.descriptor()),
      back_off_(context.loop.get_executor()),
      replies_(Limits::kUdpBatch, Limits::kUdpReplyOctetsMax),
      later_batch_(Limits::kUdpBatch, 0),
      later_ready_(context.loop.get_executor()),
      none_waits_(context.loop.get_executor()),
      tasks_(context.loop) {}

UdpListener::~UdpListener() {
  if (readiness_.is_open()) (void)readiness_.release();
}

void UdpListener::Start() {
  tasks_.Spawn(Serve());
  tasks_.Spawn(SendLaterReplies());
}

void UdpListener::StopReading() {
  stopping_ = true;
  back_off_.cancel();
  // Whoever waits to send tries once more when its wait ends so; see SendPatiently.
  asio::error_code ignored;
  readiness_.cancel(ignored);
}

Task<> UdpListener::Stop() {
  StopReading();
  while (waiting_ != 0) co_await none_waits_.Wait();
  closing_ = true;
  later_ready_.Notify();
  co_await tasks_.Join();
  if (readiness_.is_open()) (void)readiness_.release();
  socket_.Close();
}

Task<> UdpListener::Serve() {
  size_t batches_in_a_row = 0;
  while (!stopping_) {
    absl::Status status = socket_.Receive(context_.received);
    if (!status.ok()) {
      co_await BackOff(std::move(status));
      continue;
    }
    failing_ = false;
    const size_t received = context_.received.size();
    if (received > 0) {
      HandleBatch(context_.clock.Now());
      const std::span<mmsghdr> rest = SendNow(replies_.messages());
      if (!rest.empty()) co_await SendPatiently(rest);
      replies_.Clear();
    }
    if (stopping_) break;  // since it was last asked, replies may have had to wait
    if (received < kLookAgainFrom) {
      batches_in_a_row = 0;
      co_await readiness_.async_wait(asio::posix::descriptor_base::wait_read, kAwait);
    } else if (++batches_in_a_row >= Limits::kUdpBatchesPerTurn) {
      // A flood on this socket must not starve the others, nor the answers that have come for it.
      batches_in_a_row = 0;
      co_await asio::post(context_.loop.get_executor(), kAwait);
    }
  }
}

void UdpListener::HandleBatch(SteadyTime now) {
  statistics_.receive_calls.Add();
  statistics_.queries.Add(context_.received.size());
  for (size_t i = 0; i < context_.received.size(); ++i) HandleDatagram(i, now);
}

void UdpListener::HandleDatagram(size_t index, SteadyTime now) {
  const UdpReceiveBatch& received = context_.received;
  if (received.cut(index)) {
    statistics_.dropped_oversized.Add();
    return;
  }
  const Client client{received.peer(index).ToEndpoint(), Transport::kUdp};
  if (!MayReplyTo(client.endpoint)) {
    statistics_.dropped_source.Add();
    return;
  }
  const ImmediateReply reply = context_.handler.AnswerNow(received.octets(index), client, now, replies_.Space());
  switch (reply.disposition) {
    case Disposition::kAnswered:
      replies_.Commit(reply.octets, received.path(index));
      break;
    case Disposition::kDropped:
      statistics_.dropped_silent.Add();
      break;
    case Disposition::kLater:
      Defer(index, client, now);
      break;
  }
}

void UdpListener::Defer(size_t index, const Client& client, SteadyTime now) {
  if (!context_.pending.Take(1)) {
    statistics_.dropped_pending.Add();
    return context_.handler.AnswerNever();
  }
  statistics_.deferred.Add();
  ++waiting_;
  context_.handler.AnswerLater(context_.received.octets(index), client, now,
                               std::make_unique<LaterSink>(*this, context_.received.path(index)));
}

void UdpListener::SendLater(OctetView reply, const UdpPath& path) {
  if (--waiting_ == 0 && stopping_) none_waits_.Notify();
  if (reply.empty()) {
    statistics_.dropped_silent.Add();
    context_.pending.Give(1);
    return;
  }
  // The query counts as pending until its reply has left, so that later_ is bounded too.
  later_.push_back({Octets(reply.begin(), reply.end()), path});
  later_ready_.Notify();
}

// Notify schedules this coroutine behind everything that is ready in this turn of the loop: all answers that came
// together are in later_ when it runs.
Task<> UdpListener::SendLaterReplies() {
  while (true) {
    if (later_.empty()) {
      if (closing_) co_return;
      co_await later_ready_.Wait();
      continue;
    }
    sending_.swap(later_);
    size_t next = 0;
    while (next < sending_.size()) {
      const size_t end = std::min(sending_.size(), next + Limits::kUdpBatch);
      for (; next < end; ++next) later_batch_.Add(sending_[next].octets, sending_[next].path);
      const std::span<mmsghdr> rest = SendNow(later_batch_.messages());
      bool all_left = true;
      if (!rest.empty()) all_left = co_await SendPatiently(rest);
      later_batch_.Clear();
      if (!all_left) {
        // The others have waited as long and would only make the next ones late.
        statistics_.dropped_blocked.Add(sending_.size() - next);
        break;
      }
    }
    context_.pending.Give(sending_.size());
    sending_.clear();
  }
}

std::span<mmsghdr> UdpListener::SendNow(std::span<mmsghdr> messages) {
  const UdpSendResult result = socket_.Send(messages);
  statistics_.replies.Add(result.sent);
  statistics_.dropped_unsendable.Add(result.skipped);
  statistics_.send_calls.Add(result.calls);
  return messages.subspan(result.sent + result.skipped);
}

Task<bool> UdpListener::SendPatiently(std::span<mmsghdr> messages) {
  using asio::experimental::awaitable_operators::operator||;
  SteadyTimer timer(context_.loop.get_executor());
  timer.expires_after(Limits::kUdpSendTime);
  while (!messages.empty() && timer.expiry() > SteadyTimer::clock_type::now()) {
    // StopReading() ends this wait early; then the next call finds the socket still blocked and waits again.
    const auto first =
        co_await (readiness_.async_wait(asio::posix::descriptor_base::wait_write, kAwait) || timer.async_wait(kAwait));
    (void)first;
    messages = SendNow(messages);
  }
  statistics_.dropped_blocked.Add(messages.size());
  co_return messages.empty();
}

Task<> UdpListener::BackOff(absl::Status failure) {
  statistics_.receive_failures.Add();
  if (!std::exchange(failing_, true)) {
    Log(LogLevel::kError, "cannot receive, will try again", {{"reason", MessageOf(failure)}});
  }
  back_off_.expires_after(Limits::kSocketBackOff);
  co_await back_off_.async_wait(kAwait);
}

}  // namespace dotward
