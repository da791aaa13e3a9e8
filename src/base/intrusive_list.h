#ifndef DOTWARD_BASE_INTRUSIVE_LIST_H_
#define DOTWARD_BASE_INTRUSIVE_LIST_H_

#include <cstddef>

namespace dotward {

// What an object needs to be in one IntrusiveList.
template <typename T>
struct ListHook {
  T* previous = nullptr;
  T* next = nullptr;
};

// A doubly linked list through hooks of the objects themselves: entering and leaving take constant time and allocate
// nothing. It owns nothing; an object leaves before it ends, and is in one list a hook. A list that ends with objects
// in it leaves their hooks as they are, to be used anew. Not thread-safe.
template <typename T, ListHook<T> T::*kHook>
class IntrusiveList {
 public:
  IntrusiveList() = default;
  IntrusiveList(IntrusiveList&&) noexcept = default;  // of use to containers: the one moved from must not be used again
  IntrusiveList& operator=(IntrusiveList&&) noexcept = default;

  bool empty() const { return first_ == nullptr; }
  size_t size() const { return size_; }
  // Null where there is none.
  T* front() const { return first_; }
  static T* Next(const T& item) { return (item.*kHook).next; }

  void PushBack(T& item) {
    item.*kHook = {.previous = last_, .next = nullptr};
    (last_ == nullptr ? first_ : (last_->*kHook).next) = &item;
    last_ = &item;
    ++size_;
  }
  void Remove(T& item) {
    const ListHook<T> hook = item.*kHook;
    (hook.previous == nullptr ? first_ : (hook.previous->*kHook).next) = hook.next;
    (hook.next == nullptr ? last_ : (hook.next->*kHook).previous) = hook.previous;
    --size_;
  }

 private:
  T* first_ = nullptr;
  T* last_ = nullptr;
  size_t size_ = 0;
};

}  // namespace dotward

#endif  // DOTWARD_BASE_INTRUSIVE_LIST_H_
