// Property: however a stream is cut into reads, FrameReader gives the frames that a reader of the whole stream sees.
// The first octet chooses the buffer's first size; then the input is cut by lengths that it carries itself, so that a
// corpus file says all: one octet n, then n + 1 octets of the stream.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "net/stream_framing.h"

namespace {

using Octets = std::vector<uint8_t>;

std::vector<Octets> FramesOfWhole(std::span<const uint8_t> stream) {
  std::vector<Octets> frames;
  while (stream.size() >= 2) {
    const size_t length = static_cast<size_t>(stream[0]) << 8 | stream[1];
    if (stream.size() - 2 < length) break;
    const auto message = stream.subspan(2, length);
    frames.emplace_back(message.begin(), message.end());
    stream = stream.subspan(2 + length);
  }
  return frames;
}

void Check(bool claim) {
  if (!claim) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  dotward::FrameReader reader(size_t{2} << (data[0] % 12));
  std::span<const uint8_t> input(data + 1, size - 1);
  Octets stream;
  std::vector<Octets> frames;
  while (!input.empty()) {
    std::span<const uint8_t> chunk = input.subspan(1);
    chunk = chunk.first(std::min(chunk.size(), size_t{input[0]} + 1));
    input = input.subspan(1 + chunk.size());
    stream.insert(stream.end(), chunk.begin(), chunk.end());
    while (!chunk.empty()) {
      const std::span<uint8_t> space = reader.Space();
      Check(!space.empty());
      const size_t part = std::min(space.size(), chunk.size());
      std::copy_n(chunk.begin(), part, space.begin());
      reader.Commit(part);
      chunk = chunk.subspan(part);
      while (const auto message = reader.Next()) frames.emplace_back(message->begin(), message->end());
      Check(reader.capacity() <= dotward::kFrameOctetsMax);
    }
  }
  Check(frames == FramesOfWhole(stream));

  Octets again;
  size_t framed = 0;
  for (const Octets& frame : frames) {
    Check(dotward::AppendFrame(again, frame));
    framed += frame.size() + 2;
  }
  Check(again.size() == framed && std::equal(again.begin(), again.end(), stream.begin()));
  Check(reader.pending_octets() == stream.size() - framed);
  return 0;
}
