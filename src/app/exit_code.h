#ifndef DOTWARD_APP_EXIT_CODE_H_
#define DOTWARD_APP_EXIT_CODE_H_

namespace dotward {

// What a script or an init system can act on.
enum class ExitCode : int {
  kOk = 0,
  kConfiguration = 1,
  kNetwork = 2,  // address in use, no permission for the port
  kFiles = 3,
  kMemory = 4,
  kOther = 5,
};

}  // namespace dotward

#endif  // DOTWARD_APP_EXIT_CODE_H_
