#include "central/central_heap.h"

#include "central/huge_blocks.h"
#include "options/options.h"

namespace cma {

bool CentralHeap::HaveHugePages(Superblock* superblock, Ends used_first) {
  const size_t first = used_first == Ends::kUpper ? kSuperblockBytes - kHugePageBytes : 0;
  const HugePages::Got got =
      huge_pages_.Ask(superblock->base, kSuperblockBytes, superblock->base + first);
  if (got == HugePages::Got::kNothing) return false;
  superblock->touched.SetRange(first / OsPageBytes(), (first + kHugePageBytes) / OsPageBytes());
  superblock->has_huge_pages = got == HugePages::Got::kHugePages;
  return superblock->has_huge_pages;
}

Superblock* CentralHeap::TakeSuperblock(Pages pages, Ends used_first) {
  bool newly_committed = false;
  Superblock* const superblock = TakeWithPages(pages, used_first, newly_committed);
  if (superblock != nullptr && newly_committed && huge_ != nullptr && huge_->cached_bytes() != 0) {
    huge_->MakeRoom(kSuperblockBytes);
  }
  return superblock;
}

Superblock* CentralHeap::TakeWithPages(Pages pages, Ends used_first, bool& newly_committed) {
  LockGuard guard(lock_);
  newly_committed = dirty_.empty();
  Superblock* const superblock = TakeAny();
  if (superblock == nullptr) return nullptr;
  const bool huge = pages == Pages::kHuge && HaveHugePages(superblock, used_first);
  superblock->pages = huge ? Pages::kHuge : Pages::kSmall;
  if (!huge && superblock->has_huge_pages) {
    os_->advise_small(superblock->base, kSuperblockBytes);
    superblock->has_huge_pages = false;
  }
  return superblock;
}

Superblock* CentralHeap::TakeAny() {
  Superblock* superblock = dirty_.PopFront();
  if (superblock != nullptr) {
    dirty_count_.fetch_sub(1, std::memory_order_relaxed);
  } else {
    if (!Commit()) return nullptr;
    superblock = clean_.PopFront();
  }
  if (superblock == nullptr) return NewSuperblock();
  free_count_.fetch_sub(1, std::memory_order_relaxed);
  return superblock;
}

// The chunk with the number's descriptor; nullptr if the OS refuses.
Superblock* CentralHeap::ChunkOf(uint32_t number) {
  // The last of a short chunk, the first of a longer one; the same at the first of full length.
  static_assert(NumberOf(7) == 7 && NumberOf(8) == 1u << kIndexBits);
  static_assert(NumberOf(1015) == (kGrowing << kIndexBits) - kMostInChunk / 2 - 1);
  static_assert(NumberOf(1016) == kGrowing << kIndexBits);
  static_assert(NumberOf(2048 * kGiB / kSuperblockBytes) < kChunks << kIndexBits);
  static_assert(kChunks << kIndexBits <= (1u << 20));
  static_assert(sizeof(Superblock) * kMostInChunk + sizeof(SuperblockTables) + 2 * kMaxPageBytes +
                    AddressMap::kLeafBytes <=
                MemoryLimit::kTableBytes);
  const uint32_t index = number >> kIndexBits;
  if (index >= kChunks) return nullptr;
  std::atomic<Superblock*>& chunk = chunks_[index];
  if (chunk.load(std::memory_order_relaxed) == nullptr) {
    void* const made = metadata_->TakePages(sizeof(Superblock) * ChunkLength(index));
    // Release pairs with the acquire in FromNumber().
    chunk.store(static_cast<Superblock*>(made), std::memory_order_release);
  }
  return chunk.load(std::memory_order_relaxed);
}

Superblock* CentralHeap::NewDescriptor() {
  if (Superblock* superblock = descriptors_.PopFront(); superblock != nullptr) return superblock;
  const uint32_t made = count_.load(std::memory_order_relaxed);
  const uint32_t number = NumberOf(made);
  if (ChunkOf(number) == nullptr) return nullptr;
  Superblock* superblock = FromNumber(number);
  // Nobody's, and not the first arena's: arenas look for their own among all numbers.
  superblock->arena.store(kNoArena, std::memory_order_relaxed);
  // Tables of dead superblocks are kept with their descriptor: zero again, but mapped.
  superblock->tables =
      static_cast<SuperblockTables*>(metadata_->TakePages(sizeof(SuperblockTables)));
  if (superblock->tables == nullptr) return nullptr;
  superblock->number = number;
  // Release pairs with the acquire in superblocks_made(): the descriptor is there.
  count_.store(made + 1, std::memory_order_release);
  return superblock;
}

bool CentralHeap::Commit() {
  return limit_ == nullptr || limit_->Commit(kSuperblockBytes, MemoryLimit::For::kSuperblock);
}

void CentralHeap::Uncommit() {
  if (limit_ != nullptr) limit_->Uncommit(kSuperblockBytes);
}

// REQUIRES: it has been committed.
Superblock* CentralHeap::NewSuperblock() {
  Superblock* superblock = MapSuperblock();
  if (superblock == nullptr) Uncommit();
  return superblock;
}

Superblock* CentralHeap::MapSuperblock() {
  Superblock* superblock = NewDescriptor();
  if (superblock == nullptr) return nullptr;
  superblock->base = MapAligned(*os_, kSuperblockBytes, kSuperblockBytes);
  if (superblock->base == nullptr || !map_->Register(superblock, *metadata_)) {
    if (superblock->base != nullptr) os_->unmap(superblock->base, kSuperblockBytes);
    superblock->base = nullptr;
    descriptors_.PushFront(superblock);
    return nullptr;
  }
  mapped_bytes_.fetch_add(kSuperblockBytes, std::memory_order_relaxed);
  return superblock;
}

void CentralHeap::GiveSuperblock(Superblock* superblock, Milliseconds now) {
  LockGuard guard(lock_);
  superblock->idle_since = now;
  // Without live blocks the tables hold nothing but the one free run and dead slabs.
  superblock->tables->tag(0) = {};
  dirty_.PushFront(superblock);
  dirty_count_.fetch_add(1, std::memory_order_relaxed);
  free_count_.fetch_add(1, std::memory_order_relaxed);
}

void CentralHeap::Clean(Superblock* superblock) {
  if (os_->decommit(superblock->base, kSuperblockBytes, g_options.madv_free != 0) &&
      g_options.madv_free == 0) {
    superblock->touched = {};
  }
  superblock->aged = {};
  os_->decommit(reinterpret_cast<std::byte*>(superblock->tables),
                RoundUp(sizeof(SuperblockTables), OsPageBytes()), false);
  returned_bytes_.fetch_add(kSuperblockBytes, std::memory_order_relaxed);
  Uncommit();
}

size_t CentralHeap::Release(Milliseconds now, Milliseconds age, size_t limit) {
  LockGuard guard(lock_);
  size_t released = 0;
  Superblock* next = nullptr;
  // Newest first: the old ones are at the end, but the list is short and the walk is rare.
  for (Superblock* s = dirty_.front(); s != nullptr && released < limit; s = next) {
    next = s->next;
    if (!HasAged(s->idle_since, now, age)) continue;
    dirty_.Remove(s);
    Clean(s);
    clean_.PushFront(s);
    ++released;
  }
  dirty_count_.fetch_sub(released, std::memory_order_relaxed);
  return released;
}

size_t CentralHeap::Unmap() {
  LockGuard guard(lock_);
  size_t unmapped = 0;
  IntrusiveList<Superblock> kept;
  for (IntrusiveList<Superblock>* list : {&dirty_, &clean_}) {
    while (Superblock* s = list->PopFront()) {
      if (list == &dirty_) {
        Clean(s);
        dirty_count_.fetch_sub(1, std::memory_order_relaxed);
      }
      map_->Unregister(s);
      if (!os_->unmap(s->base, kSuperblockBytes)) {
        // Registering what was registered a moment ago needs no memory.
        if (map_->Register(s, *metadata_)) kept.PushFront(s);
        continue;
      }
      s->base = nullptr;
      s->touched = {};
      s->has_huge_pages = false;
      descriptors_.PushFront(s);
      ++unmapped;
    }
  }
  clean_ = kept;
  free_count_.fetch_sub(unmapped, std::memory_order_relaxed);
  mapped_bytes_.fetch_sub(unmapped * kSuperblockBytes, std::memory_order_relaxed);
  return unmapped;
}

}  // namespace cma
