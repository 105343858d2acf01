#ifndef CMA_BENCH_SCENARIO_BLOCK_H_
#define CMA_BENCH_SCENARIO_BLOCK_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "memory_use.h"

namespace scenario {

// Makes the compiler believe that `pointer` is read and written elsewhere: the allocation behind it
// cannot be elided.
inline void Escape(void* pointer) { asm volatile("" : : "g"(pointer) : "memory"); }

[[noreturn]] inline void Fail(const char* what) {
  std::fprintf(stderr, "scenario: %s\n", what);
  std::abort();
}

// Writes one byte per 4 KiB and the last one, as a program that uses its block would at least do.
inline void TouchPages(void* pointer, size_t bytes) {
  auto* byte = static_cast<volatile unsigned char*>(pointer);
  for (size_t at = 4096; at < bytes; at += 4096) byte[at] = static_cast<unsigned char>(at >> 12);
  if (bytes > 8) byte[bytes - 1] = 0x5a;
}

// A malloc'ed block that knows its size and notices when somebody else wrote into it.
struct Block {
  uint32_t bytes;
  uint32_t check;  // ~bytes
};

// REQUIRES: 8 <= bytes < 2^32.
inline Block* NewBlock(LiveBytes& live, size_t bytes) {
  auto* block = static_cast<Block*>(std::malloc(bytes));
  if (block == nullptr) [[unlikely]]
    Fail("malloc returned NULL");
  block->bytes = static_cast<uint32_t>(bytes);
  block->check = ~block->bytes;
  TouchPages(block, bytes);
  live.Add(bytes);
  return block;
}

// Does nothing for nullptr.
inline void FreeBlock(LiveBytes& live, Block* block) {
  if (block == nullptr) return;
  if (block->check != ~block->bytes) [[unlikely]]
    Fail("a live block was overwritten");
  live.Subtract(block->bytes);
  std::free(block);
}

// A zeroed array from calloc whose bytes count as live. Not movable: one owner, one place.
template <typename T>
class CountedArray {
 public:
  CountedArray(LiveBytes& live, size_t length)
      : live_(live), length_(length), items_(static_cast<T*>(std::calloc(length, sizeof(T)))) {
    if (items_ == nullptr) Fail("calloc returned NULL");
    live_.Add(length * sizeof(T));
  }
  CountedArray(const CountedArray&) = delete;
  CountedArray& operator=(const CountedArray&) = delete;
  ~CountedArray() { Release(); }

  void Release() {
    if (items_ == nullptr) return;
    live_.Subtract(length_ * sizeof(T));
    std::free(items_);
    items_ = nullptr;
    length_ = 0;
  }

  T& operator[](size_t i) { return items_[i]; }
  size_t size() const { return length_; }
  T* begin() { return items_; }
  T* end() { return items_ + length_; }

 private:
  LiveBytes& live_;
  size_t length_;
  T* items_;
};

// Slots that hold one block each, or none.
using Slots = CountedArray<Block*>;

inline void FreeAll(LiveBytes& live, Slots& slots) {
  for (Block*& block : slots) {
    FreeBlock(live, block);
    block = nullptr;
  }
}

}  // namespace scenario

#endif  // CMA_BENCH_SCENARIO_BLOCK_H_
