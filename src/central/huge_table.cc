#include "central/huge_table.h"

#include <new>

#include "central/account.h"

namespace cma {

size_t HugeTable::BucketOf(const std::byte* start) {
  return static_cast<size_t>(((AddressOf(start) >> 12) * 0x9E3779B97F4A7C15u) >> 52);
}
static_assert(HugeTable::kBuckets == 1u << (64 - 52));

bool HugeTable::Open(Metadata& metadata) {
  if (is_open()) return true;
  auto* const table = static_cast<Table*>(metadata.TakePages(sizeof(Table)));
  if (table == nullptr) return false;
  for (size_t i = 0; i < kStripes; ++i) {
    new (&table->stripes[i]) Stripe(&table->buckets[i * kBucketsOfStripe]);
    table->stripes[i].lock.HoldIfForking();
  }
  // Release pairs with the acquire in Get().
  table_.store(table, std::memory_order_release);
  return true;
}

HugeTable::Stripe* HugeTable::StripeOf(size_t bucket) const {
  Table* const table = Get();
  return table != nullptr ? &table->stripes[bucket / kBucketsOfStripe] : nullptr;
}

HugeBlock* HugeTable::Find(Stripe& stripe, const std::byte* start) {
  HugeBlock* block = stripe.buckets[BucketOf(start) % kBucketsOfStripe];
  while (block != nullptr && block->start != start) block = block->chain;
  return block;
}

void HugeTable::Enter(HugeBlock* block) {
  const size_t bucket = BucketOf(block->start);
  Stripe& stripe = *StripeOf(bucket);
  LockGuard guard(stripe.lock);
  HugeBlock*& head = stripe.buckets[bucket % kBucketsOfStripe];
  block->chain = head;
  head = block;
  stripe.count.store(stripe.count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

HugeBlock* HugeTable::Leave(Stripe& stripe, const std::byte* start) {
  HugeBlock** at = &stripe.buckets[BucketOf(start) % kBucketsOfStripe];
  while (*at != nullptr && (*at)->start != start) at = &(*at)->chain;
  HugeBlock* const block = *at;
  if (block == nullptr) return nullptr;
  *at = block->chain;
  stripe.count.store(stripe.count.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  return block;
}

// Under the lock: who finds that an account has no block left here may forget the account.
void HugeTable::Settle(Stripe& stripe, HugeBlock* block) {
  stripe.recent[stripe.next_recent++ % kRecent] = {block->start, block->bytes};
  if (block->account != nullptr) block->account->RefundHuge(block->bytes);
  block->account = nullptr;
}

HugeBlock* HugeTable::LeaveFreed(const std::byte* start) {
  Stripe* const stripe = StripeOf(BucketOf(start));
  if (stripe == nullptr) return nullptr;
  LockGuard guard(stripe->lock);
  HugeBlock* const block = Leave(*stripe, start);
  if (block != nullptr) Settle(*stripe, block);
  return block;
}

HugeBlock* HugeTable::LeaveMoved(const std::byte* start) {
  Stripe* const stripe = StripeOf(BucketOf(start));
  if (stripe == nullptr) return nullptr;
  LockGuard guard(stripe->lock);
  return Leave(*stripe, start);
}

HugeBlock* HugeTable::LeaveOneOf(const Account* account, size_t bucket) {
  Stripe* const stripe = StripeOf(bucket);
  if (stripe == nullptr) return nullptr;  // charged by a thread that a fork's child lacks
  LockGuard guard(stripe->lock);
  HugeBlock* block = stripe->buckets[bucket % kBucketsOfStripe];
  while (block != nullptr && block->account != account) block = block->chain;
  if (block == nullptr) return nullptr;
  Leave(*stripe, block->start);
  Settle(*stripe, block);
  return block;
}

size_t HugeTable::BytesOf(const std::byte* start) {
  Stripe* const stripe = StripeOf(BucketOf(start));
  if (stripe == nullptr) return 0;
  LockGuard guard(stripe->lock);
  const HugeBlock* const block = Find(*stripe, start);
  return block != nullptr ? block->bytes : 0;
}

Account* HugeTable::AccountOf(const std::byte* start) {
  Stripe* const stripe = StripeOf(BucketOf(start));
  if (stripe == nullptr) return nullptr;
  LockGuard guard(stripe->lock);
  const HugeBlock* const block = Find(*stripe, start);
  return block != nullptr ? block->account : nullptr;
}

template <typename F>
void HugeTable::ForEach(F f) {
  Table* const table = Get();
  for (size_t i = 0; table != nullptr && i < kStripes; ++i) {
    Stripe& stripe = table->stripes[i];
    LockGuard guard(stripe.lock);
    for (size_t bucket = 0; bucket < kBucketsOfStripe; ++bucket) {
      for (const HugeBlock* block = stripe.buckets[bucket]; block != nullptr;
           block = block->chain) {
        f(*block);
      }
    }
  }
}

size_t HugeTable::BytesAround(const std::byte* address) {
  size_t bytes = 0;
  ForEach([&](const HugeBlock& block) {
    if (address >= block.start && address < block.end()) bytes = block.bytes;
  });
  return bytes;
}

bool HugeTable::WasFreed(const std::byte* address) {
  Table* const table = Get();
  for (size_t i = 0; table != nullptr && i < kStripes; ++i) {
    Stripe& stripe = table->stripes[i];
    LockGuard guard(stripe.lock);
    for (const auto& entry : stripe.recent) {
      if (address >= entry.start && address < entry.start + entry.bytes) return true;
    }
  }
  return false;
}

size_t HugeTable::count() const {
  const Table* const table = Get();
  size_t count = 0;
  for (size_t i = 0; table != nullptr && i < kStripes; ++i) {
    count += table->stripes[i].count.load(std::memory_order_relaxed);
  }
  return count;
}

size_t HugeTable::CountBytes() {
  size_t bytes = 0;
  ForEach([&](const HugeBlock& block) { bytes += block.bytes; });
  return bytes;
}

bool HugeTable::AcquireAllForFork() {
  Table* const table = Get();
  bool all = true;
  for (size_t i = 0; table != nullptr && i < kStripes; ++i) {
    all = table->stripes[i].lock.AcquireForFork() && all;
  }
  return all;
}

void HugeTable::ReleaseAllAfterFork() {
  Table* const table = Get();
  for (size_t i = 0; table != nullptr && i < kStripes; ++i) {
    table->stripes[i].lock.ReleaseAfterFork();
  }
}

}  // namespace cma
