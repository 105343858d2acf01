// The huge blocks that were freed last, one on each CPU: a program that takes and frees a buffer
// time and again needs neither a lock nor a search for it.
//
// Owns:      the blocks in it, which are in no table and in no list.
// Thread-safe, without a lock: a block is taken by an exchange of its slot's pointer, and is the
//            caller's alone then.
// Invariant: all hold memory.
#ifndef CMA_CENTRAL_HUGE_SLOTS_H_
#define CMA_CENTRAL_HUGE_SLOTS_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/constants.h"
#include "central/huge_range_index.h"
#include "central/metadata.h"

namespace cma {

class HugeSlots {
 public:
  constexpr HugeSlots() = default;

  // Makes them before the first block; false if the OS refuses. One thread at a time.
  [[nodiscard]] bool Open(Metadata& metadata);

  // What the CPU's slot has, which is the caller's then; nullptr if it is empty.
  [[nodiscard]] HugeBlock* Take(uint32_t cpu) {
    Slot* const slot = SlotOf(cpu);
    return slot != nullptr ? TakeFrom(*slot) : nullptr;
  }
  // Puts a block there, and returns what was there before, as above. REQUIRES: they are open.
  [[nodiscard]] HugeBlock* Put(uint32_t cpu, HugeBlock* block);

  // Takes those that are `age` ms old. `give` gets each.
  template <typename F>
  void TakeAged(Milliseconds now, Milliseconds age, F give) {
    Slot* const slots = Get();
    for (size_t i = 0, end = end_.load(std::memory_order_relaxed); slots != nullptr && i < end;
         ++i) {
      if (slots[i].block.load(std::memory_order_relaxed) == nullptr) continue;
      if (!HasAged(slots[i].idle_since.load(std::memory_order_relaxed), now, age)) continue;
      if (HugeBlock* const block = TakeFrom(slots[i]); block != nullptr) give(block);
    }
  }
  template <typename F>
  void TakeAll(F give) {
    Slot* const slots = Get();
    for (size_t i = 0, end = end_.load(std::memory_order_relaxed); slots != nullptr && i < end;
         ++i) {
      if (HugeBlock* const block = TakeFrom(slots[i]); block != nullptr) give(block);
    }
  }

  // Bytes of all of them; a moment's truth.
  size_t bytes() const {
    const Slot* const slots = Get();
    size_t bytes = 0;
    for (size_t i = 0, end = end_.load(std::memory_order_relaxed); slots != nullptr && i < end;
         ++i) {
      bytes += slots[i].bytes.load(std::memory_order_relaxed);
    }
    return bytes;
  }
  // How many slots have been used, with that of this CPU.
  size_t CountWith(uint32_t cpu) const {
    const Slot* const slot = SlotOf(cpu);
    const bool is_new = slot == nullptr || !slot->is_used.load(std::memory_order_relaxed);
    return used_.load(std::memory_order_relaxed) + (is_new ? 1 : 0);
  }

  // In the child of a fork, where other threads may have been between a block and its count.
  void Recount();

 private:
  // CPUs beyond so many share them. No benchmark on two CPUs tells.
  static constexpr size_t kSlots = 64;

  struct alignas(kIsolation) Slot {
    std::atomic<HugeBlock*> block;
    // Of what is there; each change is counted by who makes it, before it puts or after it takes.
    std::atomic<size_t> bytes;
    std::atomic<Milliseconds> idle_since;
    std::atomic<bool> is_used;  // or has been
  };

  // Acquire pairs with the release in Open().
  Slot* Get() const { return slots_.load(std::memory_order_acquire); }
  Slot* SlotOf(uint32_t cpu) const {
    Slot* const slots = Get();
    return slots != nullptr ? &slots[cpu % kSlots] : nullptr;
  }
  void NoteUsed(Slot& slot, size_t index);
  static HugeBlock* TakeFrom(Slot& slot) {
    if (slot.block.load(std::memory_order_relaxed) == nullptr) return nullptr;
    // Acquire pairs with the release in Put(): the block is as it was left.
    HugeBlock* const block = slot.block.exchange(nullptr, std::memory_order_acquire);
    if (block != nullptr) slot.bytes.fetch_sub(block->bytes, std::memory_order_relaxed);
    return block;
  }

  std::atomic<Slot*> slots_{nullptr};
  std::atomic<size_t> end_{0};   // one more than the highest slot that was ever used
  std::atomic<size_t> used_{0};  // slots that ever were
};

}  // namespace cma

#endif  // CMA_CENTRAL_HUGE_SLOTS_H_
