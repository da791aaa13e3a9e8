#ifndef DOTWARD_UPSTREAM_LOOP_CHECK_H_
#define DOTWARD_UPSTREAM_LOOP_CHECK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "dns/name.h"
#include "dns/types.h"

namespace dotward {

// Names that only this process asks for: one that comes in as a client's query has gone out to an upstream and come
// back. Each has a number, so that whoever asks them knows which it was. They are below example.com, which every
// resolver looks up as any other name, and which has nothing below it (RFC 6761 §6.5): names of special use are
// answered half way, and would hide a loop.
class LoopCheck {
 public:
  LoopCheck();  // draws the random part

  Name NameFor(size_t number) const;
  // The number of a name that is ours, without regard to case; nullopt for every other name.
  std::optional<size_t> Recognise(OctetView qname) const;

 private:
  std::array<uint8_t, 16> token_;  // letters and digits
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_LOOP_CHECK_H_
