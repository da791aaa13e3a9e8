#include <exception>
#include <new>
#include <string>
#include <vector>

#include "app/commands.h"
#include "base/log.h"

int main(int argc, char** argv) {
  // The only catch of the program: what gets here is a fault of ours or the end of memory, and both must be said.
  try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    return static_cast<int>(dotward::RunCommand(arguments));
  } catch (const std::bad_alloc&) {
    dotward::Log(dotward::LogLevel::kError, "out of memory; lower cache.size or give the process more");
    return static_cast<int>(dotward::ExitCode::kMemory);
  } catch (const std::exception& error) {
    dotward::Log(dotward::LogLevel::kError, "unexpected failure", {{"error", error.what()}});
    return static_cast<int>(dotward::ExitCode::kOther);
  }
}
