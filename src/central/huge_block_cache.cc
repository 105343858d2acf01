// The huge blocks that wait: finding them, cutting and joining them, and giving them back in time.
#include <algorithm>

#include "base/constants.h"
#include "central/huge_blocks.h"
#include "options/options.h"

namespace cma {
namespace {

// What is cut off a cached block that is too long stays in the cache: the block may grow into it
// again, or join it when it is freed. realloc_ladder/1 has 135 page faults per 1,000 operations if
// only pieces of 1 MiB stay, 44 with 128 KiB, and 8; half is the same.
constexpr size_t kSmallestPiece = 64 * kKiB;

// Cached bytes: a base, and so much of what is live. More would show as peak memory. Both chosen by
// huge_blocks/1.
constexpr size_t kCacheBytes = 32 * kMiB;
constexpr size_t kCacheShareOfLive = 4;

}  // namespace

// The shortest cached block that is long enough.
HugeBlocks::Block* HugeBlocks::TakeCached(size_t bytes, size_t alignment) {
  LockGuard guard(lock_);
  Block* best = nullptr;
  for (Block* block = cache_.front(); block != nullptr; block = block->next) {
    if (block->bytes < bytes || AddressOf(block->start) % alignment != 0) continue;
    if (best == nullptr || block->bytes < best->bytes) best = block;
  }
  if (best == nullptr) return nullptr;
  cache_.Remove(best);
  cached_bytes_.fetch_sub(best->bytes, std::memory_order_relaxed);
  return best;
}

// The longest cached block that is too short by less than half.
HugeBlocks::Block* HugeBlocks::TakeCachedToGrow(size_t bytes) {
  LockGuard guard(lock_);
  Block* best = nullptr;
  for (Block* block = cache_.front(); block != nullptr; block = block->next) {
    if (block->bytes >= bytes || block->bytes < bytes / 2) continue;
    if (best == nullptr || block->bytes > best->bytes) best = block;
  }
  if (best == nullptr) return nullptr;
  cache_.Remove(best);
  cached_bytes_.fetch_sub(best->bytes, std::memory_order_relaxed);
  return best;
}

// Cuts a block that is not in the table or the cache down to `bytes`; the rest counts as idle since
// then.
void HugeBlocks::Split(Block* block, size_t bytes, Milliseconds rest_idle_since) {
  const size_t rest = block->bytes - bytes;
  if (rest == 0) return;
  if (rest >= kSmallestPiece && KeepsFreed()) {
    if (Block* tail = NewBlock(block->start + bytes, rest); tail != nullptr) {
      tail->mapping = block->mapping;
      block->bytes = bytes;
      Cache(tail, rest_idle_since);
      return;
    }
  }
  if (os_->unmap(block->start + bytes, rest)) {
    block->bytes = bytes;
    Uncommit(rest);
  }
}

// By what lies cached right behind it and was cut off it once, up to `bytes`: that holds memory,
// and takes no call to the OS.
void HugeBlocks::GrowByCached(Block* block, size_t bytes) {
  LockGuard guard(lock_);
  for (Block* other = cache_.front(); other != nullptr; other = other->next) {
    if (other->mapping != block->mapping || other->start != block->start + block->bytes) continue;
    const size_t taken = std::min(other->bytes, bytes - block->bytes);
    block->bytes += taken;
    other->start += taken;
    other->bytes -= taken;
    cached_bytes_.fetch_sub(taken, std::memory_order_relaxed);
    if (other->bytes == 0) {
      cache_.Remove(other);
      metadata_->Give(other, sizeof(Block));
    }
    return;
  }
}

// Adds cached blocks right before and behind this one to it: pieces of one block find together
// again, and a longer one than each can be cut from them. All of it is as old as the oldest part:
// what is not used goes back to the OS, though a piece beside it comes and goes.
void HugeBlocks::JoinCached(Block* block) {
  for (Block* other = cache_.front(); other != nullptr;) {
    Block* const next = other->next;
    const bool is_before = other->start + other->bytes == block->start;
    if (other->mapping == block->mapping &&
        (is_before || block->start + block->bytes == other->start)) {
      cache_.Remove(other);
      cached_bytes_.fetch_sub(other->bytes, std::memory_order_relaxed);
      if (is_before) block->start = other->start;
      block->bytes += other->bytes;
      block->idle_since = std::min(block->idle_since, other->idle_since);
      metadata_->Give(other, sizeof(Block));
    }
    other = next;
  }
}

void HugeBlocks::Cache(Block* block, Milliseconds idle_since) {
  {
    LockGuard guard(lock_);
    block->idle_since = idle_since;
    JoinCached(block);
    cache_.PushFront(block);
    cached_bytes_.fetch_add(block->bytes, std::memory_order_relaxed);
  }
  TrimCache();
}

HugeBlocks::Block* HugeBlocks::PopOldest(Milliseconds now, Milliseconds age) {
  LockGuard guard(lock_);
  Block* oldest = cache_.front();
  for (Block* block = oldest; block != nullptr; block = block->next) {
    if (block->idle_since <= oldest->idle_since) oldest = block;
  }
  if (oldest == nullptr || !HasAged(oldest->idle_since, now, age)) return nullptr;
  cache_.Remove(oldest);
  cached_bytes_.fetch_sub(oldest->bytes, std::memory_order_relaxed);
  return oldest;
}

void HugeBlocks::TrimCache() {
  const size_t share = kCacheBytes + live_bytes() / kCacheShareOfLive;
  const size_t most = std::min<size_t>(share, g_options.huge_cache_mib * kMiB);
  while (cached_bytes() > most) {
    Block* oldest = PopOldest(0, 0);
    if (oldest == nullptr) return;
    UnmapBlock(oldest);
  }
}

// Whether what is freed may wait in the cache, with what the program has written there.
bool HugeBlocks::KeepsFreed() const {
  return g_options.release_delay_ms != 0 && g_options.zero_on_free == 0 &&
         (limit_ == nullptr || !limit_->IsOverSoftLimit());
}

void HugeBlocks::PutAway(Block* block) {
  if (KeepsFreed()) {
    Cache(block, os_->now());
  } else {
    UnmapBlock(block);
  }
}

size_t HugeBlocks::Release(Milliseconds now, Milliseconds age, size_t limit) {
  size_t bytes = 0;
  for (; limit > 0; --limit) {
    Block* oldest = PopOldest(now, age);
    if (oldest == nullptr) break;
    bytes += oldest->bytes;
    UnmapBlock(oldest);
  }
  return bytes;
}

}  // namespace cma
