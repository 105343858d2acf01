// The C++ side of linked_program.c: operator new reaches cma in the forms that override, and a
// size that cannot be had throws std::bad_alloc and calls the new handler.
#include <cma/cma.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>
#include <vector>

namespace {

constexpr size_t kBytes = size_t{3} << 20;
int handler_calls = 0;

size_t LiveBytes() {
  cma_stats stats;
  cma_get_stats(&stats);
  return stats.live_bytes;
}

void GiveUp() {
  ++handler_calls;
  std::set_new_handler(nullptr);
}

bool ThrowsBadAlloc() {
  std::set_new_handler(GiveUp);
  volatile size_t too_large = PTRDIFF_MAX;
  try {
    ::operator delete(::operator new(too_large));
  } catch (const std::bad_alloc&) {
    return handler_calls == 1;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const bool overrides = argc > 1 && std::strcmp(argv[1], "api") != 0;

  const size_t before = LiveBytes();
  const std::vector<char> bytes(kBytes, 'x');
  const size_t grown = LiveBytes() - before;
  if ((grown >= kBytes) != overrides) {
    std::fprintf(stderr, "a vector of %zu bytes made cma's live bytes grow by %zu\n", bytes.size(),
                 grown);
    return 1;
  }
  if (!ThrowsBadAlloc()) {
    std::fprintf(stderr, "operator new(PTRDIFF_MAX): no std::bad_alloc, or %d handler calls\n",
                 handler_calls);
    return 1;
  }
  return 0;
}
