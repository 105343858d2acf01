#include "central/memory_limit.h"

#include <algorithm>

#include "base/counters.h"
#include "options/options.h"

namespace cma {

size_t MemoryLimit::Reserve(size_t hard_limit) {
  return std::max(kReserveBytes, hard_limit / kReserveShare);
}

bool MemoryLimit::Allows(size_t committed, For what) {
  const size_t limit = g_options.hard_limit;
  if (limit == 0) return true;
  if (what == For::kHugeBlock) return committed <= limit - Reserve(limit);
  const bool open = reserve_open_.load(std::memory_order_relaxed);
  return committed + kTableBytes <= (open ? limit : limit - Reserve(limit));
}

bool MemoryLimit::Commit(size_t bytes, For what) {
  size_t before = committed();
  do {
    if (!Allows(before + bytes, what)) {
      denied_.store(true, std::memory_order_relaxed);
      return false;
    }
  } while (!committed_.compare_exchange_weak(before, before + bytes, std::memory_order_relaxed));
  MaybePurge(before + bytes);
  return true;
}

void MemoryLimit::Uncommit(size_t bytes) {
  const size_t after = Subtract(committed_, bytes);
  if (purged_at_.load(std::memory_order_relaxed) > after) {
    purged_at_.store(after, std::memory_order_relaxed);
  }
  if (!denied_.load(std::memory_order_relaxed)) return;
  const size_t limit = g_options.hard_limit;
  if (limit != 0 && after + 2 * Reserve(limit) > limit) return;
  denied_.store(false, std::memory_order_relaxed);
  reserve_open_.store(false, std::memory_order_relaxed);
}

void MemoryLimit::NoteRefusal() {
  if (denied_.load(std::memory_order_relaxed)) reserve_open_.store(true, std::memory_order_relaxed);
}

bool MemoryLimit::IsOverSoftLimit() const {
  const size_t limit = g_options.soft_limit;
  return limit != 0 && committed() > limit;
}

bool MemoryLimit::IsOverHardLimit() const {
  const size_t limit = g_options.hard_limit;
  return limit != 0 && committed() > limit;
}

void MemoryLimit::MaybePurge(size_t committed) {
  const size_t limit = g_options.soft_limit;
  if (limit == 0 || committed <= limit) return;
  const size_t purged_at = purged_at_.load(std::memory_order_relaxed);
  // While it was below the limit since the last purge, any step over it counts.
  if (purged_at > limit && committed - purged_at < std::max(kPurgeBytes, limit / kPurgeShare))
    return;
  purge_due_.store(true, std::memory_order_relaxed);
}

void MemoryLimit::PurgeDone() {
  purged_at_.store(committed(), std::memory_order_relaxed);
  purge_due_.store(false, std::memory_order_relaxed);
}

void MemoryLimit::NoteOptions() {
  denied_.store(false, std::memory_order_relaxed);
  reserve_open_.store(false, std::memory_order_relaxed);
  purged_at_.store(0, std::memory_order_relaxed);
  MaybePurge(committed());
}

}  // namespace cma
