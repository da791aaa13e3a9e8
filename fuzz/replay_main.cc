// A main for a fuzz target that feeds it the files of a corpus, each once: what a fuzzer found stays found, with every
// compiler and in every test run.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  size_t files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) {
        continue;
      }
      std::ifstream file(entry.path(), std::ios::binary);
      const std::vector<char> octets{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
      // Named first, so that a crash says which input it was.
      std::printf("%s\n", entry.path().c_str());
      std::fflush(stdout);
      // A copy of exactly this size, so that a sanitizer sees a read behind its end.
      const std::vector<uint8_t> input(octets.begin(), octets.end());
      LLVMFuzzerTestOneInput(input.data(), input.size());
      ++files;
    }
  }
  // And nothing at all, which a corpus cannot hold in a way that survives every tool.
  LLVMFuzzerTestOneInput(nullptr, 0);
  std::printf("%zu files\n", files);
  return files == 0 ? 1 : 0;
}
