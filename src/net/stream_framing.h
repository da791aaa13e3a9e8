#ifndef DOTWARD_NET_STREAM_FRAMING_H_
#define DOTWARD_NET_STREAM_FRAMING_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace dotward {

// Messages on a stream stand behind their length in two octets (RFC 1035 §4.2.2).
inline constexpr size_t kFrameHeaderOctets = 2;
inline constexpr size_t kFramePayloadOctetsMax = 65'535;
inline constexpr size_t kFrameOctetsMax = kFrameHeaderOctets + kFramePayloadOctetsMax;

// Takes a stream apart into messages, however its octets are cut into reads. Does no I/O:
//
//   const std::span<uint8_t> space = frames.Space();   // at least one octet, when Next() has been called to the end
//   frames.Commit(<octets that were read into space>);
//   while (std::optional<std::span<const uint8_t>> message = frames.Next()) { ... }
//
// Memory follows what has come, not what a length prefix promises: the buffer starts at `initial_octets` and doubles as
// a frame fills it, up to kFrameOctetsMax; once it is empty it goes back to its first size. Not thread-safe.
class FrameReader {
 public:
  explicit FrameReader(size_t initial_octets = 4096);
  FrameReader(FrameReader&&) = default;
  FrameReader& operator=(FrameReader&&) = default;

  // Where to read to. Empty only where whole frames fill the buffer and wait for Next().
  std::span<uint8_t> Space();
  // The first `octets` of the last Space() have been filled. More than it had is taken as all of it.
  void Commit(size_t octets);

  // The next whole message without its length, or nullopt where more octets are needed. The view is good until the next
  // Space() or Commit(). A frame of length 0 is an empty view: the caller judges it.
  std::optional<std::span<const uint8_t>> Next();

  // Octets that are here but not yet taken: over 0 after Next() gave nullopt, a frame has begun and is not complete.
  size_t pending_octets() const { return end_ - begin_; }
  // What the buffer takes now.
  size_t capacity() const { return capacity_; }

 private:
  // What the frame at begin_ needs in all, as far as is known.
  size_t FrameOctets() const;
  void MoveTo(size_t capacity);

  size_t initial_octets_;
  size_t capacity_;
  std::unique_ptr<uint8_t[]> buffer_;  // made with the first Space()
  size_t begin_ = 0;                   // first octet that is not taken
  size_t end_ = 0;                     // behind the last that was read
};

// Appends `message` behind its length. A message over kFramePayloadOctetsMax cannot be framed: then nothing is
// appended, and the result is false.
bool AppendFrame(std::vector<uint8_t>& out, std::span<const uint8_t> message);

}  // namespace dotward

#endif  // DOTWARD_NET_STREAM_FRAMING_H_
