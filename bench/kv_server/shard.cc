#include "shard.h"

namespace kv {
namespace {

// Expired entries dropped per write: bounds the time that a request spends on others' litter.
constexpr int kExpirePerWrite = 8;

constexpr size_t kMaxValueBytes = size_t{1024} * 1024;

// What an entry takes beside key and value: nodes of table, list and map.
constexpr size_t kEntryOverheadBytes = 200;

}  // namespace

size_t Shard::Cost(const Table::value_type& item) {
  return kEntryOverheadBytes + item.first.size() + item.second.value.capacity();
}

bool Shard::Get(std::string_view key, std::string& out) {
  const std::lock_guard lock(mutex_);
  const auto item = FindLive(key);
  if (item == table_.end()) return false;
  recency_.splice(recency_.begin(), recency_, item->second.recency);
  out.append(item->second.value);
  return true;
}

void Shard::Set(std::string_view key, std::string_view value, std::chrono::milliseconds to_live) {
  const std::lock_guard lock(mutex_);
  ExpireSome(Clock::now());
  if (const auto item = table_.find(key); item != table_.end()) Erase(item);
  Store(key, value, to_live);
  EvictToLimit();
}

void Shard::Append(std::string_view key, std::string_view value) {
  const std::lock_guard lock(mutex_);
  auto item = FindLive(key);
  if (item != table_.end() && item->second.value.size() + value.size() > kMaxValueBytes) {
    Erase(item);
    item = table_.end();
  }
  if (item == table_.end()) {
    Store(key, value, std::chrono::milliseconds(0));
  } else {
    recency_.splice(recency_.begin(), recency_, item->second.recency);
    bytes_ -= Cost(*item);
    item->second.value.append(value);
    bytes_ += Cost(*item);
  }
  EvictToLimit();
}

bool Shard::Delete(std::string_view key) {
  const std::lock_guard lock(mutex_);
  const auto item = FindLive(key);
  if (item == table_.end()) return false;
  Erase(item);
  return true;
}

void Shard::Clear(size_t keep_one_in) {
  const std::lock_guard lock(mutex_);
  size_t seen = 0;
  for (auto item = table_.begin(); item != table_.end();) {
    if (++seen % keep_one_in == 0) {
      ++item;
    } else {
      item = Erase(item);
    }
  }
  table_.rehash(0);
}

size_t Shard::bytes() {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

Shard::Table::iterator Shard::FindLive(std::string_view key) {
  const auto item = table_.find(key);
  if (item == table_.end() || !item->second.deadline) return item;
  if ((*item->second.deadline)->first > Clock::now()) return item;
  Erase(item);
  return table_.end();
}

// REQUIRES: no entry has this key.
void Shard::Store(std::string_view key, std::string_view value, std::chrono::milliseconds to_live) {
  const auto item = table_.try_emplace(std::string(key)).first;
  Entry& entry = item->second;
  entry.value = value;
  entry.recency = recency_.insert(recency_.begin(), item->first);
  if (to_live.count() > 0) {
    entry.deadline = deadlines_.emplace(Clock::now() + to_live, item->first);
  }
  bytes_ += Cost(*item);
}

Shard::Table::iterator Shard::Erase(Table::iterator item) {
  bytes_ -= Cost(*item);
  recency_.erase(item->second.recency);
  if (item->second.deadline) deadlines_.erase(*item->second.deadline);
  return table_.erase(item);
}

void Shard::ExpireSome(Clock::time_point now) {
  for (int i = 0; i < kExpirePerWrite; ++i) {
    if (deadlines_.empty() || deadlines_.begin()->first > now) return;
    Erase(table_.find(deadlines_.begin()->second));
  }
}

void Shard::EvictToLimit() {
  while (bytes_ > limit_bytes_) Erase(table_.find(recency_.back()));
}

}  // namespace kv
