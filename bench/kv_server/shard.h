#ifndef CMA_BENCH_KV_SERVER_SHARD_H_
#define CMA_BENCH_KV_SERVER_SHARD_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace kv {

using Clock = std::chrono::steady_clock;

// One part of the keys: a hash table that drops what has expired, and what was used longest ago
// when it outgrows its share of the memory.
//
// Locking: each public method takes mutex_.
class Shard {
 public:
  explicit Shard(size_t limit_bytes) : limit_bytes_(limit_bytes) {}

  // Appends the value to `out`. False: no such key.
  bool Get(std::string_view key, std::string& out);
  void Set(std::string_view key, std::string_view value, std::chrono::milliseconds to_live);
  // Creates the entry if there is none; starts it anew if it would pass the size limit of a value.
  void Append(std::string_view key, std::string_view value);
  bool Delete(std::string_view key);
  // Keeps one entry in `keep_one_in`, wherever it lies.
  void Clear(size_t keep_one_in);

  size_t bytes();

 private:
  using Recency = std::list<std::string_view>;  // most recently used first
  using Deadlines = std::multimap<Clock::time_point, std::string_view>;

  struct Entry {
    std::string value;
    Recency::iterator recency;
    std::optional<Deadlines::iterator> deadline;
  };

  struct KeyHash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  // Its nodes do not move, so the views of their keys in recency_ and deadlines_ stay valid.
  using Table = std::unordered_map<std::string, Entry, KeyHash, std::equal_to<>>;

  static size_t Cost(const Table::value_type& item);

  Table::iterator FindLive(std::string_view key);
  void Store(std::string_view key, std::string_view value, std::chrono::milliseconds to_live);
  Table::iterator Erase(Table::iterator item);
  void ExpireSome(Clock::time_point now);
  void EvictToLimit();

  const size_t limit_bytes_;
  std::mutex mutex_;
  Table table_;
  Recency recency_;
  Deadlines deadlines_;
  size_t bytes_ = 0;
};

}  // namespace kv

#endif  // CMA_BENCH_KV_SERVER_SHARD_H_
