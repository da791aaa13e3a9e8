#include "server/server_worker.h"

#include <utility>

namespace dotward {

ServerWorker::ServerWorker(WorkerSockets sockets, asio::io_context& loop, QueryHandler& handler, const Clock& clock,
                           ConnectionLimiter& limiter, const StreamPatience& patience, UdpStatistics& udp_statistics,
                           StreamStatistics& stream_statistics)
    : context_(loop, handler, clock) {
  for (UdpSocket& socket : sockets.udp) {
    udp_.push_back(std::make_unique<UdpListener>(context_, std::move(socket), udp_statistics));
  }
  for (Descriptor& listening : sockets.tcp) {
    streams_.push_back(
        std::make_unique<StreamListener>(context_, std::move(listening), limiter, stream_statistics, patience));
  }
}

void ServerWorker::SetPatience(const StreamPatience& patience) {
  for (const auto& listener : streams_) listener->SetPatience(patience);
}

void ServerWorker::Start() {
  for (const auto& listener : udp_) listener->Start();
  for (const auto& listener : streams_) listener->Start();
}

Task<> ServerWorker::Stop() {
  // All of them first, so that none goes on reading while another is being waited for.
  for (const auto& listener : udp_) listener->StopReading();
  for (const auto& listener : streams_) listener->StopReading();
  for (const auto& listener : udp_) co_await listener->Stop();
  for (const auto& listener : streams_) co_await listener->Stop();
}

}  // namespace dotward
