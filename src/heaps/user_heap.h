// A heap of the program's making: blocks apart from all others, with a limit, gone in one call.
//
// Owns:      an arena that no thread cache works with, and the huge blocks that are charged to it.
// Locking:   a block is taken from and given to the arena, charged and refunded, under the arena's
//            lock, at once: no cache, outbox or inbox ever holds one. So nothing of a heap is on
//            its way anywhere when it is destroyed, and its number can be used again. Huge blocks
//            are charged under that lock too, and refunded by HugeBlocks.
// Thread-safe, but for its end (UserHeaps::Destroy).
// Invariant: live() is the sum of the usable bytes of its blocks, plus those of huge blocks whose
//            call is under way.
#ifndef CMA_HEAPS_USER_HEAP_H_
#define CMA_HEAPS_USER_HEAP_H_

#include <atomic>
#include <cstddef>

#include "arena/arena.h"
#include "central/account.h"
#include "central/address_map.h"
#include "central/huge_blocks.h"
#include "heaps/block_shape.h"

namespace cma {

class UserHeap : public Account {
 public:
  using Contents = HugeBlocks::Contents;

  // Bytes of a name, with the 0 at its end.
  static constexpr size_t kNameBytes = 64;

  UserHeap(Arena& arena, const AddressMap& map, HugeBlocks& huge)
      : arena_(&arena), map_(&map), huge_(&huge) {}

  // A block; nullptr if the OS refuses memory, or else the limit does.
  // REQUIRES: alignment is a power of two.
  struct Taken {
    std::byte* block;
    bool over_limit;
  };
  [[nodiscard]] Taken Take(size_t size, size_t alignment, Contents contents);

  // Takes a block back that is not huge (a huge one goes to HugeBlocks::Give). Reports one that is
  // free already.
  void Give(std::byte* block, size_t bytes);

  // Whether a small block, in a slab of this heap, is free.
  bool HoldsFree(SizeClass c, const std::byte* block);

  // After an attempt to make a block `bytes` long in place. That the limit refused it is noted by
  // the caller, if it is the last attempt.
  struct Resized {
    size_t usable;
    bool over_limit;
  };
  Resized ResizeRun(const Run& run, size_t bytes);
  Resized ResizeHugeInPlace(std::byte* block, size_t old_bytes, size_t bytes);
  void NoteRefusalLocking();
  // HugeBlocks::Resize().
  [[nodiscard]] std::byte* ResizeHuge(std::byte* block, size_t old_bytes, size_t bytes);

  // Whether the limit would allow a block so long at this moment.
  bool SeemsToHaveRoomFor(size_t bytes) const {
    const size_t taken = live();
    return taken <= limit() && bytes <= limit() - taken;
  }

  const char* name() const { return name_; }
  size_t arena_number() const { return static_cast<size_t>(arena_->id()); }
  bool is_live() const { return is_live_.load(std::memory_order_relaxed); }
  // `live` and `peak` are not above the limit.
  struct Figures {
    size_t live;
    size_t huge;
    size_t peak;
    size_t mapped;  // its superblocks and huge blocks
  };
  Figures ReadFigures();

 private:
  friend class UserHeaps;

  std::byte* TakeFromArena(const BlockShape& shape, ZeroPages* zero_pages, bool* over_limit);
  std::byte* TakeHuge(const BlockShape& shape, Contents contents, bool* over_limit);
  std::byte* TakeUncharged(const BlockShape& shape, ZeroPages* zero_pages)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(arena_->lock());
  bool ChargeHugeLocking(size_t bytes);
  void NotePeakLocking();
  size_t UsableBytes(const std::byte* block) const;
  bool Owns(const std::byte* block) const;

  // For UserHeaps.
  void Open(const char* name, size_t limit);
  void Close();

  Arena* const arena_;
  const AddressMap* const map_;
  HugeBlocks* const huge_;
  std::atomic<bool> is_live_{false};
  UserHeap* next_unused_ = nullptr;  // guarded by UserHeaps' lock
  char name_[kNameBytes] = {};
};

}  // namespace cma

#endif  // CMA_HEAPS_USER_HEAP_H_
