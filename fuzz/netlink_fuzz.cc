// Property: a datagram of rtnetlink messages, whatever is in it, is read within its bounds and leaves bounded memory
// behind; and it says the same whether its messages come together or each in a datagram of its own.

#include <linux/netlink.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "base/limits.h"
#include "net/netlink_state.h"

namespace {

void Check(bool claim) {
  if (!claim) std::abort();
}

// The messages of `datagram`, each a copy of exactly its size, up to the first whose length cannot be true.
std::vector<std::vector<uint8_t>> Messages(std::span<const uint8_t> datagram) {
  std::vector<std::vector<uint8_t>> messages;
  uint32_t length = 0;
  while (datagram.size() >= sizeof(nlmsghdr)) {
    std::memcpy(&length, datagram.data(), sizeof length);
    if (length < sizeof(nlmsghdr) || length > datagram.size()) break;
    messages.emplace_back(datagram.begin(), datagram.begin() + length);
    const size_t padded = (size_t{length} + NLMSG_ALIGNTO - 1) / NLMSG_ALIGNTO * NLMSG_ALIGNTO;
    datagram = datagram.subspan(std::min(padded, datagram.size()));
  }
  return messages;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> datagram(data, size);
  dotward::NetlinkState together;
  const dotward::NetlinkNews news = together.Apply(datagram);

  dotward::NetlinkState apart;
  dotward::NetlinkNews sum;
  for (const std::vector<uint8_t>& message : Messages(datagram)) {
    const dotward::NetlinkNews one = apart.Apply(message);
    sum.change |= one.change;
    sum.dump_ended |= one.dump_ended;
  }
  Check(news.change == sum.change && news.dump_ended == sum.dump_ended);
  Check(together.known() == apart.known());
  Check(together.known() <= 4 * dotward::Limits::kNetlinkKnownMax);
  Check(!news.change.suspended && !news.change.wall_clock_set);
  together.Clear();
  Check(together.known() == 0);
  return 0;
}
