#include "cache/spare_runs.h"

#include <string.h>

#include <new>

namespace cma {

uintptr_t SpareRuns::TakeNear(unsigned c, size_t bytes, size_t alignment) {
  for (uint64_t near = classes_ >> c & kNear; near != 0; near &= near - 1) {
    const unsigned d = c + static_cast<unsigned>(std::countr_zero(near));
    if (const uintptr_t run = TakeIfFits(d, bytes, alignment); run != 0) return run;
  }
  return 0;
}

void SpareRuns::NoteMissed(size_t bytes) {
  const unsigned c = ClassOf(bytes);
  const uint64_t bit = uint64_t{1} << c;
  asked_again_ |= asked_ & bit;
  asked_ |= bit;
  if (bytes > kShortBytes) {
    long_wanted_ = bytes == last_long_ ? bytes : kNoBytes;
    last_long_ = bytes;
  }
  const uint64_t wanted = asked_again_ | asked_before_;
  // Those that a request of class c may get.
  wanted_ = wanted | wanted << 1 | wanted << 2;
  ++misses_;
  if (++misses_in_period_ < kPeriod) return;
  misses_in_period_ = 0;
  asked_before_ = asked_again_;
  asked_again_ = 0;
  asked_ = 0;
}

void SpareRuns::Open(uintptr_t* memory) {
  auto* const table = new (memory) Table{};
  memset(table->heads, kNone, sizeof table->heads);
  // Release pairs with the acquire in ForEach().
  table_.store(table, std::memory_order_release);
  Forget();
}

// From one class after the other: what nobody asks for goes in the end.
uintptr_t SpareRuns::TakeAny() {
  Table& table = *table_.load(std::memory_order_relaxed);
  while (classes_ != 0) {
    const uint64_t after = classes_ & ~uint64_t{1} << turn_;
    turn_ = static_cast<uint8_t>(std::countr_zero(after != 0 ? after : classes_));
    const unsigned i = table.heads[turn_];
    const uintptr_t run = TakeHead(table, turn_, i, table.bytes[i].load(std::memory_order_relaxed));
    if (run != 0) return run;
  }
  return 0;
}

uintptr_t SpareRuns::Steal() {
  // Acquire pairs with the release in Open().
  Table* const table = table_.load(std::memory_order_acquire);
  for (size_t i = 0; table != nullptr && i < kRuns; ++i) {
    if (table->addresses[i].load(std::memory_order_relaxed) == 0) continue;
    const uintptr_t run = table->addresses[i].exchange(0, std::memory_order_acquire);
    if (run != 0) return run;
  }
  return 0;
}

void SpareRuns::Forget() {
  Table* const table = table_.load(std::memory_order_relaxed);
  if (table == nullptr) return;
  memset(table->heads, kNone, sizeof table->heads);
  for (size_t i = 0; i < kRuns; ++i) table->next[i] = static_cast<uint8_t>(i + 1);
  table->next[kRuns - 1] = kNone;
  unused_ = 0;
  classes_ = 0;
  claimed_ = 0;
  room_ = kFreeBytes;
}

}  // namespace cma
