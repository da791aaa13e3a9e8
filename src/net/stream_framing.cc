#include "net/stream_framing.h"

#include <algorithm>
#include <cstring>

namespace dotward {

FrameReader::FrameReader(size_t initial_octets)
    : initial_octets_(std::clamp(initial_octets, kFrameHeaderOctets, kFrameOctetsMax)), capacity_(initial_octets_) {}

size_t FrameReader::FrameOctets() const {
  if (pending_octets() < kFrameHeaderOctets) return kFrameHeaderOctets;
  return kFrameHeaderOctets + (size_t{buffer_[begin_]} << 8 | buffer_[begin_ + 1]);
}

void FrameReader::MoveTo(size_t capacity) {
  auto moved = std::make_unique_for_overwrite<uint8_t[]>(capacity);
  if (pending_octets() != 0) std::memcpy(moved.get(), &buffer_[begin_], pending_octets());
  end_ = pending_octets();
  begin_ = 0;
  buffer_ = std::move(moved);
  capacity_ = capacity;
}

std::span<uint8_t> FrameReader::Space() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
    // One long message must not leave an idle connection with 64 KiB.
    if (buffer_ == nullptr || capacity_ != initial_octets_) MoveTo(initial_octets_);
  } else if (begin_ != 0 && capacity_ - begin_ < FrameOctets()) {
    // The frame at begin_ does not fit behind the ones that were taken. What moves is less than one frame, and each
    // octet moves at most once for each time that the buffer is filled.
    std::memmove(buffer_.get(), &buffer_[begin_], pending_octets());
    end_ -= begin_;
    begin_ = 0;
  }
  // Doubling keeps the copying linear, and what is reserved within twice what has really come.
  if (end_ == capacity_ && FrameOctets() > capacity_) MoveTo(std::min(capacity_ * 2, kFrameOctetsMax));
  return {&buffer_[end_], capacity_ - end_};
}

void FrameReader::Commit(size_t octets) {
  if (buffer_ != nullptr) end_ += std::min(octets, capacity_ - end_);
}

std::optional<std::span<const uint8_t>> FrameReader::Next() {
  const size_t frame = FrameOctets();
  if (pending_octets() < frame) return std::nullopt;
  const std::span<const uint8_t> message(&buffer_[begin_] + kFrameHeaderOctets, frame - kFrameHeaderOctets);
  begin_ += frame;
  return message;
}

bool AppendFrame(std::vector<uint8_t>& out, std::span<const uint8_t> message) {
  if (message.size() > kFramePayloadOctetsMax) return false;
  const uint8_t header[kFrameHeaderOctets] = {static_cast<uint8_t>(message.size() >> 8),
                                              static_cast<uint8_t>(message.size() & 0xff)};
  out.insert(out.end(), std::begin(header), std::end(header));
  out.insert(out.end(), message.begin(), message.end());
  return true;
}

}  // namespace dotward
