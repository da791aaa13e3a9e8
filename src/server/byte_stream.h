#ifndef DOTWARD_SERVER_BYTE_STREAM_H_
#define DOTWARD_SERVER_BYTE_STREAM_H_

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "dotward/task.h"

namespace dotward {

// One accepted connection as octets both ways, so that queries over TCP and over TLS are served by the same code.
// Belongs to one loop. One Read and one WriteSome may be under way at a time, beside each other; the buffers must
// outlive the wait. Neither has a time limit of its own: Close() ends both.
class ByteStream {
 public:
  virtual ~ByteStream() = default;

  // Waits until there is something and gives how many octets were read; 0 at the end of the peer's stream.
  // kCancelled after CancelRead or Close, kUnavailable where the connection broke.
  virtual Task<absl::StatusOr<size_t>> Read(std::span<uint8_t> buffer) = 0;

  // Waits until at least one octet could be handed over and gives how many were. kUnavailable or kCancelled as above.
  virtual Task<absl::StatusOr<size_t>> WriteSome(std::span<const uint8_t> octets) = 0;

  // Ends the Read that is under way, if one is; the stream stays usable.
  virtual void CancelRead() = 0;

  // Tells the peer that nothing more will come.
  virtual void ShutdownWrite() = 0;

  // Closes at once, both ways. May be called again.
  virtual void Close() = 0;
};

}  // namespace dotward

#endif  // DOTWARD_SERVER_BYTE_STREAM_H_
