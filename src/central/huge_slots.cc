#include "central/huge_slots.h"

namespace cma {

bool HugeSlots::Open(Metadata& metadata) {
  if (Get() != nullptr) return true;
  // All zero is what they are to be.
  auto* const slots = static_cast<Slot*>(metadata.TakePages(kSlots * sizeof(Slot)));
  // Release pairs with the acquire in Get().
  slots_.store(slots, std::memory_order_release);
  return slots != nullptr;
}

void HugeSlots::NoteUsed(Slot& slot, size_t index) {
  if (slot.is_used.exchange(true, std::memory_order_relaxed)) return;
  used_.fetch_add(1, std::memory_order_relaxed);
  size_t end = end_.load(std::memory_order_relaxed);
  while (end <= index && !end_.compare_exchange_weak(end, index + 1, std::memory_order_relaxed)) {
  }
}

HugeBlock* HugeSlots::Put(uint32_t cpu, HugeBlock* block) {
  Slot& slot = *SlotOf(cpu);
  if (!slot.is_used.load(std::memory_order_relaxed)) [[unlikely]]
    NoteUsed(slot, cpu % kSlots);
  slot.bytes.fetch_add(block->bytes, std::memory_order_relaxed);
  slot.idle_since.store(block->idle_since, std::memory_order_relaxed);
  // Release pairs with the acquire in TakeFrom(), and acquire with a Put() before this one.
  HugeBlock* const displaced = slot.block.exchange(block, std::memory_order_acq_rel);
  if (displaced != nullptr) slot.bytes.fetch_sub(displaced->bytes, std::memory_order_relaxed);
  return displaced;
}

void HugeSlots::Recount() {
  Slot* const slots = Get();
  size_t used = 0;
  for (size_t i = 0; slots != nullptr && i < kSlots; ++i) {
    if (!slots[i].is_used.load(std::memory_order_relaxed)) continue;
    const HugeBlock* const block = slots[i].block.load(std::memory_order_relaxed);
    slots[i].bytes.store(block != nullptr ? block->bytes : 0, std::memory_order_relaxed);
    end_.store(i + 1, std::memory_order_relaxed);
    ++used;
  }
  used_.store(used, std::memory_order_relaxed);
}

}  // namespace cma
