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
  // Those that a request of class c may get with little to spare: what would serve others only is
  // worth more where it can merge.
  wanted_ = wanted | wanted << 1 | wanted << 2;
  misses_ = classes_ != 0 ? misses_ + 1 : 0;
  if (++misses_in_period_ < kPeriod) return;
  misses_in_period_ = 0;
  asked_before_ = asked_again_;
  asked_again_ = 0;
  asked_ = 0;
}

void SpareRuns::Open(uintptr_t* memory) {
  auto* const table = new (memory) Table{};
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

// All that is not in the table's addresses is made anew: a fork may have stopped the thread
// anywhere, and a thief may be at work.
void SpareRuns::Relink() {
  were_stolen_.store(false, std::memory_order_relaxed);
  Table& table = *table_.load(std::memory_order_relaxed);
  memset(table.heads, kNone, sizeof table.heads);
  unused_ = kNone;
  classes_ = 0;
  room_ = kFreeBytes + claimed_;
  for (unsigned i = kRuns; i-- != 0;) {
    uint8_t* head = &unused_;
    if (table.addresses[i].load(std::memory_order_relaxed) != 0) {
      const size_t bytes = table.bytes[i].load(std::memory_order_relaxed);
      head = &table.heads[ClassOf(bytes)];
      classes_ |= uint64_t{1} << ClassOf(bytes);
      room_ -= bytes;
    }
    table.next[i] = *head;
    *head = static_cast<uint8_t>(i);
  }
}

void SpareRuns::Forget() {
  claimed_ = 0;
  misses_ = 0;
  if (is_open()) Relink();
}

}  // namespace cma
