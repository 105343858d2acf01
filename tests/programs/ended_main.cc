// The main thread ends by pthread_exit(3) and leaves a worker behind: the process is over, with
// success, when the worker ends. With an argument only the worker makes the heap large.
#include <pthread.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

void MakeTheHeapLarge() {
  std::vector<void*> blocks(1000);
  for (void*& block : blocks) block = std::memset(std::malloc(40'000), 1, 40'000);
  for (void* block : blocks) std::free(block);
}

pthread_t g_main;

void* Work(void*) {
  if (pthread_join(g_main, nullptr) != 0) std::abort();
  MakeTheHeapLarge();
  std::puts("the worker ends");
  std::fflush(stdout);
  return nullptr;
}

}  // namespace

int main(int count, char**) {
  g_main = pthread_self();
  if (count == 1) MakeTheHeapLarge();
  pthread_t worker;
  if (pthread_create(&worker, nullptr, Work, nullptr) != 0) return 1;
  pthread_exit(nullptr);
}
