#ifndef DOTWARD_BASE_REF_PTR_H_
#define DOTWARD_BASE_REF_PTR_H_

#include <cstddef>
#include <utility>

namespace dotward {

// Shared ownership of an immutable object that counts its own references (AddReference, Release), so that object,
// count and trailing octets are one allocation. The object is thread-safe to share; one RefPtr is not.
template <typename T>
class RefPtr {
 public:
  constexpr RefPtr() = default;
  constexpr RefPtr(std::nullptr_t) {}  // NOLINT: as unique_ptr
  // Takes over the reference that the object was born with.
  static RefPtr Adopt(const T* object) { return RefPtr(object); }
  RefPtr(const RefPtr& other) : object_(other.object_) {
    if (object_ != nullptr) object_->AddReference();
  }
  RefPtr(RefPtr&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  RefPtr& operator=(RefPtr other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~RefPtr() {
    if (object_ != nullptr) object_->Release();
  }

  const T* get() const { return object_; }
  const T& operator*() const { return *object_; }
  const T* operator->() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  explicit RefPtr(const T* object) : object_(object) {}
  const T* object_ = nullptr;
};

}  // namespace dotward

#endif  // DOTWARD_BASE_REF_PTR_H_
