#include "server/stream_connection.h"

#include <algorithm>
#include <utility>

namespace dotward {
namespace {

// A buffer that once held many replies is given back rather than kept for as long as the client stays.
constexpr size_t kOutputCapacityKept = 4096;

}  // namespace

class StreamConnection::LaterSink final : public ReplySink {
 public:
  explicit LaterSink(StreamConnection& connection) : connection_(connection) {}
  void Send(OctetView reply) override { connection_.SendLater(reply); }

 private:
  StreamConnection& connection_;
};

StreamConnection::StreamConnection(ListenerContext& context, std::unique_ptr<ByteStream> stream, const Client& client,
                                   StreamStatistics& statistics, const StreamPatience& patience)
    : context_(context),
      stream_(std::move(stream)),
      client_(client),
      statistics_(statistics),
      patience_(patience),
      read_at_(context.clock.Now()),
      last_activity_(read_at_),
      room_(context.loop.get_executor()),
      none_waits_(context.loop.get_executor()),
      output_ready_(context.loop.get_executor()),
      timer_(context.loop.get_executor()),
      writer_(context.loop),
      watch_(context.loop) {}

Task<> StreamConnection::Run() {
  writer_.Spawn(WriteReplies());
  watch_.Spawn(Watch());
  co_await ReadQueries();
  reading_over_ = true;
  output_ready_.Notify();
  while (waiting_ != 0) co_await none_waits_.Wait();
  no_more_replies_ = true;
  output_ready_.Notify();
  co_await writer_.Join();
  co_await Linger();
  over_ = true;
  timer_.cancel();
  co_await watch_.Join();
  stream_->Close();
  context_.stream_output.Release(*this, unsent_);
}

void StreamConnection::Drain(Duration patience) {
  drain_patience_ = patience;
  drain_since_ = context_.clock.Now();
  timer_.cancel();  // so that the watch sees the new deadline
  stream_->CancelRead();
  room_.Notify();
}

Task<> StreamConnection::ReadQueries() {
  while (!drain_since_ && !broken_) {
    if (!HasRoom()) {
      output_ready_.Notify();
      co_await room_.Wait();
      read_at_ = context_.clock.Now();  // what is left of the last read counts as read now: we have kept it waiting
      continue;
    }
    if (const std::optional<OctetView> query = frames_.Next()) {
      frame_since_.reset();
      if (query->empty()) {
        // No message has no octets: the two of us do not agree where messages begin.
        statistics_.empty_frames.Add();
        break;
      }
      HandleQuery(*query);
      continue;
    }
    if (!output_.empty()) output_ready_.Notify();
    if (frames_.pending_octets() > 0 && !frame_since_) frame_since_ = read_at_;
    reading_ = true;
    const absl::StatusOr<size_t> octets = co_await stream_->Read(frames_.Space());
    reading_ = false;
    if (!octets.ok()) {
      if (!drain_since_ && !broken_) {
        statistics_.broken.Add();
        Abort();
      }
      break;
    }
    if (*octets == 0) {
      client_done_ = true;
      break;
    }
    frames_.Commit(*octets);
    read_at_ = last_activity_ = context_.clock.Now();
  }
}

void StreamConnection::HandleQuery(OctetView query) {
  statistics_.queries.Add();
  const ImmediateReply reply = context_.handler.AnswerNow(query, client_, read_at_, context_.stream_reply);
  switch (reply.disposition) {
    case Disposition::kAnswered:
      QueueReply(OctetView(context_.stream_reply).first(reply.octets));
      break;
    case Disposition::kDropped:
      statistics_.dropped_silent.Add();
      break;
    case Disposition::kLater:
      if (!context_.pending.Take(1)) {
        statistics_.dropped_pending.Add();
        context_.handler.AnswerNever();
        break;
      }
      statistics_.deferred.Add();
      ++waiting_;
      context_.handler.AnswerLater(query, client_, read_at_, std::make_unique<LaterSink>(*this));
      break;
  }
}

void StreamConnection::SendLater(OctetView reply) {
  --waiting_;
  context_.pending.Give(1);
  last_activity_ = context_.clock.Now();
  if (reply.empty()) {
    statistics_.dropped_silent.Add();
  } else if (!broken_) {
    QueueReply(reply);
    output_ready_.Notify();
  }
  room_.Notify();
  if (waiting_ == 0 && reading_over_) none_waits_.Notify();
}

void StreamConnection::QueueReply(OctetView reply) {
  const size_t octets = kFrameHeaderOctets + reply.size();
  context_.stream_output.Hold(*this, octets);
  if (broken_) return;
  if (!AppendFrame(output_, reply)) {
    context_.stream_output.Release(*this, octets);
    return;
  }
  unsent_ += octets;
  statistics_.replies.Add();
}

// Replies are made faster than this client reads them, or it does not read at all: so many unread mean the latter.
void StreamConnection::GiveUpOutput() {
  statistics_.output_overflows.Add();
  Octets().swap(output_);
  Abort();
}

Task<> StreamConnection::WriteReplies() {
  while (!broken_) {
    if (output_.empty()) {
      if (no_more_replies_) co_return;
      co_await output_ready_.Wait();
      continue;
    }
    writing_.swap(output_);
    wrote_last_ = reading_over_;
    write_since_ = context_.clock.Now();
    OctetView rest = writing_;
    while (!rest.empty()) {
      const absl::StatusOr<size_t> written = co_await stream_->WriteSome(rest);
      if (!written.ok()) {
        if (!broken_) {
          statistics_.broken.Add();
          Abort();
        }
        co_return;
      }
      rest = rest.subspan(*written);
      unsent_ -= *written;
      context_.stream_output.Release(*this, *written);
      write_since_ = context_.clock.Now();
      if (HasRoom()) room_.Notify();
    }
    last_activity_ = *write_since_;
    write_since_.reset();
    writing_.clear();
    if (writing_.capacity() > kOutputCapacityKept) Octets().swap(writing_);
  }
}

// A socket that is closed while it holds octets of the client's resets the connection, and a reset may overtake the
// last replies. So where some have just been written and the client may still be sending, it is told the end and
// listened to until it ends too.
Task<> StreamConnection::Linger() {
  if (broken_ || client_done_ || !wrote_last_) co_return;
  stream_->ShutdownWrite();
  linger_since_ = context_.clock.Now();
  timer_.cancel();  // so that the watch sees the new deadline
  size_t left = Limits::kStreamLingerOctetsMax;
  while (left > 0 && !broken_) {
    const absl::StatusOr<size_t> octets = co_await stream_->Read(context_.discarded);
    if (!octets.ok() || *octets == 0) co_return;
    left -= std::min(left, *octets);
  }
}

Task<> StreamConnection::Watch() {
  // A deadline that arises later is at least the shortest patience away, so looking that often is never late; and
  // nothing on the way of a query has to touch the timer.
  const Duration look_again = std::min({patience_.idle, patience_.message, patience_.write});
  while (!over_ && !broken_) {
    const SteadyTime now = context_.clock.Now();
    const NextDeadline next = FindDeadline();
    if (now >= next.at) {
      if (next.count != nullptr) next.count->Add();
      Abort();
      break;
    }
    timer_.expires_after(std::min<Duration>(look_again, next.at - now));
    co_await timer_.async_wait(kAwait);
  }
}

StreamConnection::NextDeadline StreamConnection::FindDeadline() {
  NextDeadline next;
  const auto consider = [&next](SteadyTime since, Duration patience, Counter* count) {
    const SteadyTime at = since + std::chrono::duration_cast<SteadyTime::duration>(patience);
    if (at < next.at) next = {at, count};
  };
  if (drain_since_) consider(*drain_since_, drain_patience_, &statistics_.write_timeouts);
  if (linger_since_) consider(*linger_since_, patience_.linger, nullptr);
  if (write_since_) consider(*write_since_, patience_.write, &statistics_.write_timeouts);
  if (reading_ && frame_since_) {
    consider(*frame_since_, patience_.message, &statistics_.message_timeouts);
  } else if (reading_ && waiting_ == 0 && unsent_ == 0) {
    // RFC 7766 §6.2.3: idle is a connection on which no query waits for its reply.
    consider(last_activity_, patience_.idle, &statistics_.idle_timeouts);
  }
  return next;
}

void StreamConnection::Abort() {
  broken_ = true;
  stream_->Close();
  room_.Notify();
  output_ready_.Notify();
  timer_.cancel();
}

}  // namespace dotward
