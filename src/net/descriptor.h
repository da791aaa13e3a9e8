#ifndef DOTWARD_NET_DESCRIPTOR_H_
#define DOTWARD_NET_DESCRIPTOR_H_

#include <unistd.h>

#include <utility>

namespace dotward {

// Owns one file descriptor and closes it.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.Release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (is_open()) close(number_);
  }

  int get() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  // The caller closes it from now on.
  int Release() { return std::exchange(number_, -1); }

 private:
  int number_ = -1;
};

}  // namespace dotward

#endif  // DOTWARD_NET_DESCRIPTOR_H_
