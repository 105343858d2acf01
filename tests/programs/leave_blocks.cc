// Allocates from three threads that free each other's blocks, and ends with thousands of them live:
// something for statistics to count.
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

int main() {
  std::vector<std::vector<void*>> blocks(3);
  const auto allocate = [&blocks](std::size_t t) {
    for (std::size_t i = 0; i < 20'000; ++i) {
      blocks[t].push_back(std::malloc(i * 7919 % (i % 100 == 0 ? 300'000 : 5'000)));
    }
  };
  const auto free_half = [&blocks](std::size_t t) {
    for (std::size_t i = 0; i < blocks[t].size(); i += 2) std::free(blocks[t][i]);
  };
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 3; ++t) threads.emplace_back(allocate, t);
  for (std::thread& thread : threads) thread.join();
  threads.clear();
  for (std::size_t t = 0; t < 3; ++t) threads.emplace_back(free_half, (t + 1) % 3);
  for (std::thread& thread : threads) thread.join();
  std::puts("done");
  std::exit(blocks[0][1] == nullptr ? 1 : 0);
}
