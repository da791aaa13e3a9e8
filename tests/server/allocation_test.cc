#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "server/fake_query_handler.h"
#include "server/loopback_clients.h"
#include "server/udp_listener.h"

// Counts the allocations of one thread while it is told to; that is why these operators stand in a test program.
namespace {
thread_local bool counting = false;
thread_local size_t allocations = 0;

void* Allocate(size_t octets, size_t alignment) {
  if (counting) ++allocations;
  void* memory = alignment > alignof(std::max_align_t)
                     ? std::aligned_alloc(alignment, (octets + alignment - 1) / alignment * alignment)
                     : std::malloc(octets == 0 ? 1 : octets);
  if (memory == nullptr) std::abort();
  return memory;
}
}  // namespace

void* operator new(size_t octets) { return Allocate(octets, 1); }
void* operator new[](size_t octets) { return Allocate(octets, 1); }
void* operator new(size_t octets, std::align_val_t alignment) {
  return Allocate(octets, static_cast<size_t>(alignment));
}
void* operator new[](size_t octets, std::align_val_t alignment) {
  return Allocate(octets, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace dotward {
namespace {

class CountAllocations {
 public:
  CountAllocations() {
    allocations = 0;
    counting = true;
  }
  ~CountAllocations() { counting = false; }
  size_t count() const { return allocations; }
};

class UdpAllocationTest : public testing::TestWithParam<const char*> {
 protected:
  asio::io_context loop_{1};
  FakeQueryHandler handler_;
  SystemClock clock_;
  ListenerContext context_{loop_, handler_, clock_};
  UdpStatistics statistics_;
  UdpListener listener_{context_, UdpSocket::Bind(EndpointAt(GetParam(), 0), PortSharing::kExclusive).value(),
                        statistics_};
};

TEST(CountAllocationsTest, SeesAnAllocation) {
  const CountAllocations counted;
  const auto text = std::make_unique<std::string>(100, 'x');
  EXPECT_EQ(counted.count(), 2U);
}

TEST_P(UdpAllocationTest, AnsweringAtOnceAllocatesNothing) {
  const Endpoint server = EndpointAt(listener_.local().address.is_v4() ? "127.0.0.1" : "::1", listener_.local().port);
  const UdpClient client(server.address.is_v4() ? "127.0.0.1" : "::1");
  listener_.Start();
  // The first rounds fill the loop's own store of used memory.
  for (int round = 0; round < 20; ++round) {
    // Batches of all sizes: those after which it looks again at once, and those after which it waits.
    for (int i = 0; i <= 8 * round; ++i) client.Send(server, "now");
    size_t allocated = 0;
    if (loop_.stopped()) loop_.restart();
    {
      const CountAllocations counted;
      loop_.poll();
      allocated = counted.count();
    }
    for (int i = 0; i <= 8 * round; ++i) client.Receive(loop_);
    if (round >= 2) {
      EXPECT_EQ(allocated, 0U) << "round " << round;
    }
  }
  EXPECT_GT(statistics_.replies.value(), 1000U);
}

INSTANTIATE_TEST_SUITE_P(EveryKindOfSocket, UdpAllocationTest, testing::Values("127.0.0.1", "0.0.0.0", "::1", "::"));

}  // namespace
}  // namespace dotward
