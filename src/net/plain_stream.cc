#include "net/plain_stream.h"

#include <cerrno>
#include <utility>

#include "net/stream_session.h"

namespace dotward {

class PlainSession final : public StreamSession {
 public:
  PlainSession(asio::io_context& loop, const Endpoint& peer) : StreamSession(loop) { peer_ = peer; }

  static Task<absl::StatusOr<size_t>> Read(std::shared_ptr<PlainSession> self, std::span<uint8_t> buffer) {
    while (true) {
      if (self->TurnIsOver()) co_await self->NextTurn();
      if (self->closed()) co_return self->ClosedError();
      // After a short read the socket is empty, unless something came since; then the wait ends at once.
      int error = EAGAIN;
      if (!self->drained()) {
        const ssize_t received = self->Receive(buffer, error);
        if (received >= 0) {
          self->CountRead();
          co_return static_cast<size_t>(received);
        }
      }
      if (error != EAGAIN) co_return self->NetworkError(error);
      co_await self->Wait(asio::posix::descriptor_base::wait_read);
    }
  }

  static Task<absl::Status> Write(std::shared_ptr<PlainSession> self, std::span<const uint8_t> octets) {
    while (true) {
      if (self->closed()) co_return self->ClosedError();
      const int error = self->Send(octets);
      if (error == 0) co_return absl::OkStatus();
      if (error != EAGAIN) co_return self->NetworkError(error);
      co_await self->Wait(asio::posix::descriptor_base::wait_write);
    }
  }

 private:
  Task<absl::Status> Establish() override { co_return absl::OkStatus(); }
};

PlainStream::PlainStream(std::shared_ptr<PlainSession> session) : session_(std::move(session)) {}

PlainStream::~PlainStream() { session_->Close(); }

Task<absl::StatusOr<std::unique_ptr<ClientStream>>> PlainStream::Connect(asio::io_context& loop,
                                                                         PlainClientOptions options,
                                                                         Deadline deadline) {
  auto session = std::make_shared<PlainSession>(loop, options.peer);
  const StreamSession::SetUpOptions set_up{deadline, options.connect_patience, options.canceller};
  const absl::Status done = co_await StreamSession::SetUp(session, set_up);
  if (!done.ok()) co_return done;
  co_return std::unique_ptr<ClientStream>(new PlainStream(std::move(session)));
}

Task<absl::StatusOr<size_t>> PlainStream::Read(std::span<uint8_t> buffer) {
  return PlainSession::Read(session_, buffer);
}
Task<absl::Status> PlainStream::Write(std::span<const uint8_t> octets) { return PlainSession::Write(session_, octets); }
void PlainStream::Close() { session_->Close(); }
bool PlainStream::closed() const { return session_->closed(); }
const Endpoint& PlainStream::peer() const { return session_->peer(); }
const Endpoint& PlainStream::local() const { return session_->local(); }
Duration PlainStream::handshake_time() const { return session_->handshake_time(); }

}  // namespace dotward
