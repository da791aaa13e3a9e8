#include "server/output_budget.h"

#include <algorithm>

namespace dotward {

void OutputBudget::Hold(Holder& holder, size_t octets) {
  if (octets == 0) return;
  if (holder.held_ == 0) holders_.PushBack(holder);
  holder.held_ += octets;
  taken_ += octets;
  while (taken_ > max_) {
    Holder& largest = Largest();
    Release(largest, largest.held_);
    largest.GiveUpOutput();
  }
}

void OutputBudget::Release(Holder& holder, size_t octets) {
  octets = std::min(octets, holder.held_);
  if (octets == 0) return;
  holder.held_ -= octets;
  taken_ -= octets;
  if (holder.held_ == 0) holders_.Remove(holder);
}

// A walk over all of them; each ends with one that is given up.
OutputBudget::Holder& OutputBudget::Largest() const {
  Holder* largest = holders_.front();
  for (Holder* holder = largest; holder != nullptr; holder = Holders::Next(*holder)) {
    if (holder->held_ > largest->held_) largest = holder;
  }
  return *largest;
}

}  // namespace dotward
