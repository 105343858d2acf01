// Address space of huge blocks that nobody uses: what was freed and still holds memory, and what
// has given its memory back and is still mapped. What lies side by side serves one block together,
// so memory that was freed in pieces of other sizes is used again.
//
// Owns:      the ranges in it, and their descriptors.
// Locking:   none of its own: guarded by the lock of HugeBlocks, under which it takes Metadata's.
// Invariant: sorted by address, no two overlap; each is in the tree, and by its age among those of
//            its kind; of those that lie side by side the first, and no other, is in the bin of all
//            their bytes.
#ifndef CMA_CENTRAL_HUGE_RANGES_H_
#define CMA_CENTRAL_HUGE_RANGES_H_

#include <atomic>
#include <cstddef>

#include "base/intrusive_list.h"
#include "central/huge_range_index.h"
#include "central/metadata.h"

namespace cma {

class HugeRanges {
 public:
  explicit constexpr HugeRanges(Metadata& metadata) : metadata_(&metadata) {}

  // Where a block could lie.
  struct Place {
    HugeBlock* first = nullptr;  // the range that `start` is in; nullptr: there is no place
    std::byte* start = nullptr;
    size_t empty_bytes = 0;  // of it, that hold no memory
  };
  // The place with the most memory, and of those one in the shortest stretch. Of very many
  // stretches of about one length some are looked at.
  Place Find(size_t bytes, size_t alignment);

  // Takes a block out. nullptr if there is no memory for descriptors; or it is longer than `bytes`,
  // and the caller cuts the rest off.
  [[nodiscard]] HugeBlock* CutOut(const Place& place, size_t bytes);

  // Puts a range in. Joins it with neighbours of its kind and about its age.
  void Insert(HugeBlock* range);
  void Remove(HugeBlock* range);

  // What a block could grow into, up to `bytes`: all of it, or what holds memory.
  struct Behind {
    HugeBlock* first = nullptr;
    size_t bytes = 0;
    size_t empty_bytes = 0;  // of these
  };
  Behind FindBehind(const HugeBlock& block, size_t bytes);
  // Takes the first `bytes` from there on out, as part of another block.
  void TakeOut(HugeBlock* range, size_t bytes);
  // A long one with memory that is shorter than `bytes` by less than half. REQUIRES: Find() has
  // found nothing.
  HugeBlock* FindToGrow(size_t bytes);
  // The range that has waited longest, of all, of those with memory, and of those without.
  HugeBlock* Oldest() const;
  HugeBlock* OldestWithMemory() const { return ages_[true].oldest(); }
  HugeBlock* OldestEmpty() const { return ages_[false].oldest(); }

  // Takes the first `bytes` of a range out; all of it if it has no more, or if there is no memory
  // for another descriptor.
  [[nodiscard]] HugeBlock* TakeFront(HugeBlock* range, size_t bytes);

  // Each a moment's truth where the lock is not held.
  size_t held_bytes() const { return held_bytes_.load(std::memory_order_relaxed); }
  size_t empty_bytes() const { return empty_bytes_.load(std::memory_order_relaxed); }

 private:
  HugeBlock* NewLike(const HugeBlock& range, std::byte* start, size_t bytes);
  void Count(const HugeBlock* range, size_t bytes);
  void Discard(HugeBlock* range);
  void MoveFront(HugeBlock* range, size_t bytes);
  void FileStretchOf(HugeBlock* range);
  void UnfileStretchOf(HugeBlock* range);

  Metadata* const metadata_;
  IntrusiveList<HugeBlock> ranges_;
  HugeRangeTree by_address_;
  HugeRangeAges ages_[2];  // by holds_memory
  HugeStretchBins stretches_;
  std::atomic<size_t> held_bytes_{0};
  std::atomic<size_t> empty_bytes_{0};
};

}  // namespace cma

#endif  // CMA_CENTRAL_HUGE_RANGES_H_
