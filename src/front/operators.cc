// C++ operator new and delete.
//
// The library must not drag the C++ runtime into C programs, so everything of it is weak here: a
// program that uses C++ has it loaded before its first operator new, any other never gets here.
// This file is compiled with exceptions: new_handler may throw through it.
#include "front/sanitizer.h"

#if !CMA_SANITIZER_HAS_MALLOC

#include <dlfcn.h>

#include <cstddef>
#include <new>

#include "front/family.h"
#include "report/fault.h"

asm(".weak __gxx_personality_v0\n"
    ".weak __cxa_begin_catch\n"
    ".weak __cxa_end_catch\n"
    ".weak __cxa_rethrow\n"
    ".weak _ZSt9terminatev\n"
    ".weak _Unwind_Resume\n");

namespace std {
[[gnu::weak]] new_handler get_new_handler() noexcept;
[[gnu::weak]] void __throw_bad_alloc();
}  // namespace std

namespace cma {
namespace {

using Thrower = void (*)();
using HandlerGetter = std::new_handler (*)();

// A function of a C++ runtime that has come later, with a library that was opened; perhaps for that
// library alone. nullptr if there is none.
void* FindInRuntime(const char* name) {
  if (void* const found = dlsym(RTLD_DEFAULT, name); found != nullptr) return found;
  // By its name: what is linked statically would be warned of.
  const auto open = reinterpret_cast<void* (*)(const char*, int)>(dlsym(RTLD_DEFAULT, "dlopen"));
  if (open == nullptr) return nullptr;
  for (const char* const library : {"libstdc++.so.6", "libc++.so.1", "libc++abi.so.1"}) {
    void* const runtime = open(library, RTLD_LAZY | RTLD_NOLOAD);
    if (runtime == nullptr) continue;
    if (void* const found = dlsym(runtime, name); found != nullptr) return found;
  }
  return nullptr;
}

[[noreturn]] void ThrowBadAlloc(size_t size) {
  Thrower thrower = std::__throw_bad_alloc;
  // libc++ has its own name.
  for (const char* const name : {"_ZSt17__throw_bad_allocv", "_ZNSt3__117__throw_bad_allocEv"}) {
    if (thrower == nullptr) thrower = reinterpret_cast<Thrower>(FindInRuntime(name));
  }
  if (thrower != nullptr) thrower();
  ReportNoMemory(size);
}

std::new_handler NewHandler() {
  HandlerGetter getter = std::get_new_handler;
  if (getter == nullptr) {
    getter = reinterpret_cast<HandlerGetter>(FindInRuntime("_ZSt15get_new_handlerv"));
  }
  return getter != nullptr ? getter() : nullptr;
}

// [new.delete.single]: call the handler until it helps, throws, or is gone.
template <typename Allocator>
[[gnu::noinline]] void* RetryOrThrow(size_t size, Allocator allocate) {
  for (;;) {
    const std::new_handler handler = NewHandler();
    if (handler == nullptr) ThrowBadAlloc(size);
    handler();
    if (void* block = allocate()) return block;
  }
}

[[gnu::noinline]] void* NewMissed(size_t size) {
  if (void* block = Allocate(size)) [[likely]]
    return block;
  return RetryOrThrow(size, [size] { return Allocate(size); });
}

inline void* New(size_t size) {
  if (size > kTableMax) [[unlikely]]
    return NewMissed(size);
  if (void* block = AllocateHit(size)) [[likely]]
    return block;
  return NewMissed(size);
}

void* NewAligned(size_t size, std::align_val_t alignment) {
  const auto bytes = static_cast<size_t>(alignment);
  if (void* block = AllocateAligned(bytes, size)) return block;
  return RetryOrThrow(size, [=] { return AllocateAligned(bytes, size); });
}

[[gnu::noinline]] void* NewNothrowMissed(size_t size) noexcept {
  if (NewHandler() == nullptr) return nullptr;
  try {
    return NewMissed(size);
  } catch (...) {
    return nullptr;
  }
}

inline void* NewNothrow(size_t size) noexcept {
  if (void* block = Allocate(size)) [[likely]]
    return block;
  return NewNothrowMissed(size);
}

void* NewAlignedNothrow(size_t size, std::align_val_t alignment) noexcept {
  const auto bytes = static_cast<size_t>(alignment);
  if (void* block = AllocateAligned(bytes, size)) return block;
  if (NewHandler() == nullptr) return nullptr;
  try {
    return NewAligned(size, alignment);
  } catch (...) {
    return nullptr;
  }
}

}  // namespace
}  // namespace cma

#define CMA_EXPORT __attribute__((visibility("default")))

CMA_EXPORT void* operator new(size_t size) { return cma::New(size); }
CMA_EXPORT void* operator new[](size_t size) { return cma::New(size); }
CMA_EXPORT void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return cma::NewNothrow(size);
}
CMA_EXPORT void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return cma::NewNothrow(size);
}
CMA_EXPORT void* operator new(size_t size, std::align_val_t alignment) {
  return cma::NewAligned(size, alignment);
}
CMA_EXPORT void* operator new[](size_t size, std::align_val_t alignment) {
  return cma::NewAligned(size, alignment);
}
CMA_EXPORT void* operator new(size_t size, std::align_val_t alignment,
                              const std::nothrow_t&) noexcept {
  return cma::NewAlignedNothrow(size, alignment);
}
CMA_EXPORT void* operator new[](size_t size, std::align_val_t alignment,
                                const std::nothrow_t&) noexcept {
  return cma::NewAlignedNothrow(size, alignment);
}

CMA_EXPORT void operator delete(void* block) noexcept { cma::Deallocate(block); }
CMA_EXPORT void operator delete[](void* block) noexcept { cma::Deallocate(block); }
CMA_EXPORT void operator delete(void* block, size_t) noexcept { cma::Deallocate(block); }
CMA_EXPORT void operator delete[](void* block, size_t) noexcept { cma::Deallocate(block); }
CMA_EXPORT void operator delete(void* block, const std::nothrow_t&) noexcept {
  cma::Deallocate(block);
}
CMA_EXPORT void operator delete[](void* block, const std::nothrow_t&) noexcept {
  cma::Deallocate(block);
}
CMA_EXPORT void operator delete(void* block, std::align_val_t) noexcept { cma::Deallocate(block); }
CMA_EXPORT void operator delete[](void* block, std::align_val_t) noexcept {
  cma::Deallocate(block);
}
CMA_EXPORT void operator delete(void* block, size_t, std::align_val_t) noexcept {
  cma::Deallocate(block);
}
CMA_EXPORT void operator delete[](void* block, size_t, std::align_val_t) noexcept {
  cma::Deallocate(block);
}
CMA_EXPORT void operator delete(void* block, std::align_val_t, const std::nothrow_t&) noexcept {
  cma::Deallocate(block);
}
CMA_EXPORT void operator delete[](void* block, std::align_val_t, const std::nothrow_t&) noexcept {
  cma::Deallocate(block);
}

#endif  // !CMA_SANITIZER_HAS_MALLOC
