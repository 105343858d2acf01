// Abseil of the program's own beside cma, which is built with Abseil's headers.
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "proof.h"

int main() {
  ProveMalloc(1);
  const size_t before = LiveBytes();
  absl::Mutex mutex;
  absl::flat_hash_map<int, std::string> texts;
  {
    absl::MutexLock lock(&mutex);
    for (int i = 0; i < 1000; ++i) texts[i] = absl::StrFormat("%01000d", i);
  }
  return LiveBytes() - before >= 1'000'000 ? 0 : 1;
}
