// Throws nothing itself and uses nothing that does: only operator new does, so nothing else brings
// along the part of the C++ runtime that throws.
#include <cstdint>
#include <new>

#include "proof.h"

int main() {
  ProveMalloc(1);
  volatile size_t too_large = PTRDIFF_MAX;
  try {
    ::operator delete(::operator new(too_large));
  } catch (const std::bad_alloc&) {
    return 0;
  }
  return 1;
}
