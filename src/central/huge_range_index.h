// Finding ranges of huge blocks: by address, by age, and by how much lies side by side.
//
// Owns:      nothing; the links lie in the ranges.
// Locking:   none of its own: parts of HugeRanges.
#ifndef CMA_CENTRAL_HUGE_RANGE_INDEX_H_
#define CMA_CENTRAL_HUGE_RANGE_INDEX_H_

#include <cstddef>
#include <cstdint>

#include "base/bits.h"
#include "base/intrusive_list.h"
#include "base/units.h"

namespace cma {

class Account;

// A huge block that lives, or a range of addresses that waits.
struct HugeBlock : ListNode<HugeBlock> {
  std::byte* end() const { return start + bytes; }
  // Whether `right` begins where this one ends, and is of one mapping with it: the kernel moves no
  // block that lies in several.
  bool IsOneStretchWith(const HugeBlock* right) const {
    return end() == right->start && has_huge_pages == right->has_huge_pages &&
           moved == right->moved;
  }

  std::byte* start;
  size_t bytes;
  HugeBlock* chain;         // of a live one: next in its bucket of the table; or of those in hand
  Account* account;         // of a live one: who pays, or nullptr
  Milliseconds idle_since;  // of a range
  // False: it has given it back, and reads as zero. (A huge page at its edge may be in use.)
  bool holds_memory;
  bool has_huge_pages;  // by advice
  bool is_rest;         // of one that waits on a CPU: a block was cut off in front
  // 0 where it was mapped: as a rule the kernel makes one mapping of neighbours. Pages that have
  // been moved keep a mapping of their own, which has this number.
  uint32_t moved;
  // Of a range:
  HugeBlock* older;  // among those of its kind
  HugeBlock* younger;
  HugeBlock* lower;  // in the tree, under it
  HugeBlock* higher;
  uint32_t rank;         // in the tree: no more than that of the one above it
  size_t stretch_bytes;  // of the first one of a stretch, and its links in its bin
  HugeBlock* next_in_bin;
  HugeBlock* previous_in_bin;
};

// Ranges by address: a treap, so that an operation takes about log n steps whatever the order in
// which blocks are freed. Source: Seidel, Aragon, "Randomized search trees", 1996.
class HugeRangeTree {
 public:
  void Add(HugeBlock* range);
  void Remove(HugeBlock* range);
  // The last range that starts before the address; nullptr if there is none.
  HugeBlock* LastBefore(const std::byte* address) const;

 private:
  HugeBlock* root_ = nullptr;
  uint32_t random_ = 1;
};

// Ranges in the order of their ages.
class HugeRangeAges {
 public:
  HugeBlock* oldest() const { return oldest_; }
  // `near`: one in the list of about its age, or nullptr: it is young.
  void Add(HugeBlock* range, HugeBlock* near);
  void Remove(HugeBlock* range);

 private:
  HugeBlock* oldest_ = nullptr;
  HugeBlock* youngest_ = nullptr;
};

// Stretches, which are ranges side by side, each by its first range, in bins by length: four per
// doubling.
class HugeStretchBins {
 public:
  static constexpr size_t kBins = 160;
  static size_t BinOf(size_t bytes);

  // REQUIRES: stretch_bytes of `first` is set, and is the same at Remove().
  void Add(HugeBlock* first);
  void Remove(HugeBlock* first);
  HugeBlock* front(size_t bin) const { return bins_[bin]; }
  // The first bin that holds one, from this one on; kBins or more if there is none.
  size_t FindFrom(size_t bin) const { return used_.FindFrom(bin); }

 private:
  HugeBlock* bins_[kBins] = {};
  BitSet<kBins> used_ = {};
};

}  // namespace cma

#endif  // CMA_CENTRAL_HUGE_RANGE_INDEX_H_
