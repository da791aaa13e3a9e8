#ifndef DOTWARD_SERVER_OUTPUT_BUDGET_H_
#define DOTWARD_SERVER_OUTPUT_BUDGET_H_

#include <cstddef>

#include "base/intrusive_list.h"

namespace dotward {

// The octets of replies that clients of one worker have not read yet, and for whom they are held. Where they are too
// many, whoever holds most is given up, so that the few who do not read pay for it and nobody else. Belongs to one
// loop.
class OutputBudget {
 public:
  // One connection. It must hold nothing when it ends.
  class Holder {
   public:
    size_t held() const { return held_; }

   protected:
    virtual ~Holder() = default;

   private:
    friend class OutputBudget;
    // There is no room for what it holds, which is counted no more.
    virtual void GiveUpOutput() = 0;

    size_t held_ = 0;
    ListHook<Holder> hook_;
  };

  explicit OutputBudget(size_t max) : max_(max) {}

  // May give up any holder, this one included; it then holds nothing.
  void Hold(Holder& holder, size_t octets);
  // At most what it holds.
  void Release(Holder& holder, size_t octets);

  size_t taken() const { return taken_; }

 private:
  Holder& Largest() const;

  using Holders = IntrusiveList<Holder, &Holder::hook_>;
  const size_t max_;
  size_t taken_ = 0;
  Holders holders_;  // who hold anything
};

}  // namespace dotward

#endif  // DOTWARD_SERVER_OUTPUT_BUDGET_H_
