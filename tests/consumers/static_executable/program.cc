#include <cstdint>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "proof.h"

namespace {

bool ThrowsBadAlloc() {
  volatile size_t too_large = PTRDIFF_MAX;
  try {
    ::operator delete(::operator new(too_large));
  } catch (const std::bad_alloc&) {
    return true;
  }
  return false;
}

}  // namespace

int main() {
  ProveMalloc(1);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] { std::vector<std::string> texts(10'000, std::string(50, 'x')); });
  }
  for (std::thread& thread : threads) thread.join();
  return ThrowsBadAlloc() ? 0 : 1;
}
