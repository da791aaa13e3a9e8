#ifndef DOTWARD_BASE_STATUS_MACROS_H_
#define DOTWARD_BASE_STATUS_MACROS_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <utility>

#define DOTWARD_CONCAT_INNER_(a, b) a##b
#define DOTWARD_CONCAT_(a, b) DOTWARD_CONCAT_INNER_(a, b)

// The CO_ twins are for coroutines, where `return` is not allowed.
#define RETURN_IF_ERROR(expression)                           \
  do {                                                        \
    if (absl::Status status_ = (expression); !status_.ok()) { \
      return status_;                                         \
    }                                                         \
  } while (false)

#define CO_RETURN_IF_ERROR(expression)                        \
  do {                                                        \
    if (absl::Status status_ = (expression); !status_.ok()) { \
      co_return status_;                                      \
    }                                                         \
  } while (false)

#define ASSIGN_OR_RETURN(declaration, expression) \
  DOTWARD_ASSIGN_OR_(return, DOTWARD_CONCAT_(status_or_, __LINE__), declaration, expression)

#define CO_ASSIGN_OR_RETURN(declaration, expression) \
  DOTWARD_ASSIGN_OR_(co_return, DOTWARD_CONCAT_(status_or_, __LINE__), declaration, expression)

#define DOTWARD_ASSIGN_OR_(leave, holder, declaration, expression) \
  auto holder = (expression);                                      \
  if (!holder.ok()) leave std::move(holder).status();              \
  declaration = *std::move(holder)

#endif  // DOTWARD_BASE_STATUS_MACROS_H_
