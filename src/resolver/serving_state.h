#ifndef DOTWARD_RESOLVER_SERVING_STATE_H_
#define DOTWARD_RESOLVER_SERVING_STATE_H_

#include <memory>
#include <utility>

#include "dotward/config.h"
#include "policy/policy.h"

namespace dotward {

// What a worker answers by: the configuration, and what was made of it. Immutable; a reload makes another, which each
// loop takes up as a whole, between two queries. Shared as shared_ptr<const ServingState>.
struct ServingState {
  ServingState(std::shared_ptr<const Config> config_in, ServerIdentity identity)
      : config(std::move(config_in)), policy(*config, std::move(identity)) {}

  const std::shared_ptr<const Config> config;
  const Policy policy;
};

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_SERVING_STATE_H_
