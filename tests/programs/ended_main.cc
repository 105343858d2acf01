// The main thread ends by pthread_exit(3). With "worker" or "large_worker" it leaves one behind,
// and the process is over, with success, when that ends; with "alone" it is over at once. The
// handlers of exit(3) run on the last thread, and have its stack. With "large_worker" only the
// worker makes the heap large.
#include <pthread.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

namespace {

void MakeTheHeapLarge() {
  std::vector<void*> blocks(1000);
  for (void*& block : blocks) block = std::memset(std::malloc(40'000), 1, 40'000);
  for (void* block : blocks) std::free(block);
}

void UseStack() {
  volatile char frame[512 << 10];
  for (std::size_t i = 0; i < sizeof frame; i += 1024) frame[i] = 1;
  std::puts("over");
}

pthread_t g_main;

void* Work(void*) {
  if (pthread_join(g_main, nullptr) != 0) std::abort();
  MakeTheHeapLarge();
  std::puts("the worker ends");
  return nullptr;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view how = count == 2 ? arguments[1] : "";
  g_main = pthread_self();
  std::atexit(UseStack);
  if (how != "large_worker") MakeTheHeapLarge();
  pthread_t worker;
  if (how != "alone" && pthread_create(&worker, nullptr, Work, nullptr) != 0) return 1;
  pthread_exit(nullptr);
}
