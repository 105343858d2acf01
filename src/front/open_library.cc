// dlopen(3) that keeps one malloc in the process.
//
// A library opened with RTLD_DEEPBIND looks for malloc first in itself and in what it needs, the C
// library, and only then here: its blocks and the program's are of two allocators, and the first
// one that the other side frees ends the process. PHP opens its modules so.
//
// Thread-safe: an atomic that is only ever set to one value.
#include "front/sanitizer.h"

#if !CMA_SANITIZER_HAS_MALLOC

#include <dlfcn.h>

#include <atomic>

#include "cache/cache_lifecycle.h"
#include "options/options.h"

namespace {

using Dlopen = void*(const char*, int);

constinit std::atomic<Dlopen*> g_next{nullptr};

Dlopen* Next() {
  Dlopen* next = g_next.load(std::memory_order_relaxed);
  if (next == nullptr) {
    next = reinterpret_cast<Dlopen*>(dlsym(RTLD_NEXT, "dlopen"));
    g_next.store(next, std::memory_order_relaxed);
  }
  return next;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void* dlopen(const char* file,
                                                               int mode) noexcept {
  Dlopen* const next = Next();
  if (next == nullptr) return nullptr;  // dlerror(3) says why
  if ((mode & RTLD_DEEPBIND) != 0) {
    cma::EnsureHeap();  // has read the options
    if (cma::g_options.deepbind == 0) mode &= ~RTLD_DEEPBIND;
  }
  // A jump, not a call: the C library asks who calls, to look in that library's paths, and sees the
  // program's call.
  return next(file, mode);
}

#endif  // !CMA_SANITIZER_HAS_MALLOC
