// An in-process key-value store under load: a hash table in shards, each with its lock and its
// least-recently-used list. Values of mixed size are set, read, overwritten, deleted; entries
// expire, and the oldest are evicted when the shard is full. Any thread may free what any other
// stored. One op is one request.

#include <pthread.h>

#include <cstring>

#include "harness.h"

namespace {

using namespace scenario;

// One malloc for the entry with its key, one for the value.
struct Entry {
  Entry* chain;  // same bucket
  Entry* newer;  // least-recently-used list
  Entry* older;
  Block* value;
  uint64_t key;
  uint64_t expires;  // in requests of this shard; 0: never
  uint32_t bytes;    // of this entry
  char key_text[1];
};

size_t EntryBytes(uint64_t key) { return offsetof(Entry, key_text) + 8 + key % 40; }

class Shard {
 public:
  void Open(size_t buckets, size_t limit) {
    bucket_count_ = buckets;
    limit_ = limit;
    buckets_ = static_cast<Entry**>(std::calloc(buckets, sizeof(Entry*)));
    if (buckets_ == nullptr) Fail("calloc returned NULL");
    ring_.newer = ring_.older = &ring_;
  }

  // Bytes of the value; 0: not there.
  size_t Get(LiveBytes& live, uint64_t key) {
    Hold hold(mutex_);
    ++now_;
    Entry* entry = Find(key);
    if (entry == nullptr) return 0;
    if (Expired(*entry)) {
      Drop(live, entry);
      return 0;
    }
    Unlink(entry);
    LinkNewest(entry);
    return entry->value->bytes;
  }

  void Set(LiveBytes& live, uint64_t key, Block* value, uint64_t lifetime) {
    Hold hold(mutex_);
    ++now_;
    Entry* entry = Find(key);
    if (entry == nullptr) {
      entry = Insert(live, key);
    } else {
      used_ -= entry->value->bytes;
      FreeBlock(live, entry->value);
      Unlink(entry);
      LinkNewest(entry);
    }
    entry->value = value;
    entry->expires = lifetime == 0 ? 0 : now_ + lifetime;
    used_ += value->bytes;
    while (used_ > limit_) Drop(live, ring_.newer);
  }

  void Delete(LiveBytes& live, uint64_t key) {
    Hold hold(mutex_);
    ++now_;
    if (Entry* entry = Find(key)) Drop(live, entry);
  }

  void Close(LiveBytes& live) {
    while (ring_.newer != &ring_) Drop(live, ring_.newer);
    std::free(buckets_);
    buckets_ = nullptr;
  }

 private:
  class Hold {
   public:
    explicit Hold(pthread_mutex_t& mutex) : mutex_(mutex) { pthread_mutex_lock(&mutex_); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold() { pthread_mutex_unlock(&mutex_); }

   private:
    pthread_mutex_t& mutex_;
  };

  bool Expired(const Entry& entry) const { return entry.expires != 0 && entry.expires < now_; }

  Entry** BucketOf(uint64_t key) { return &buckets_[(key >> 8) % bucket_count_]; }

  Entry* Find(uint64_t key) {
    Entry* entry = *BucketOf(key);
    while (entry != nullptr && entry->key != key) entry = entry->chain;
    return entry;
  }

  Entry* Insert(LiveBytes& live, uint64_t key) {
    const size_t bytes = EntryBytes(key);
    auto* entry = static_cast<Entry*>(std::malloc(bytes));
    if (entry == nullptr) Fail("malloc returned NULL");
    live.Add(bytes);
    entry->key = key;
    entry->bytes = static_cast<uint32_t>(bytes);
    std::memset(entry->key_text, 'k', bytes - offsetof(Entry, key_text));
    Entry** bucket = BucketOf(key);
    entry->chain = *bucket;
    *bucket = entry;
    LinkNewest(entry);
    return entry;
  }

  void Drop(LiveBytes& live, Entry* entry) {
    Entry** link = BucketOf(entry->key);
    while (*link != entry) link = &(*link)->chain;
    *link = entry->chain;
    Unlink(entry);
    used_ -= entry->value->bytes;
    FreeBlock(live, entry->value);
    live.Subtract(entry->bytes);
    std::free(entry);
  }

  // The ring runs from the oldest entry (ring_.newer) to the newest (ring_.older).
  void LinkNewest(Entry* entry) {
    entry->newer = &ring_;
    entry->older = ring_.older;
    ring_.older->newer = entry;
    ring_.older = entry;
  }

  static void Unlink(Entry* entry) {
    entry->newer->older = entry->older;
    entry->older->newer = entry->newer;
  }

  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  Entry** buckets_ = nullptr;
  size_t bucket_count_ = 0;
  size_t limit_ = 0;  // bytes of values
  size_t used_ = 0;
  uint64_t now_ = 0;
  Entry ring_{};
};

constexpr size_t kShards = 64;

struct Store {
  Shard shards[kShards];
  Shard& ShardOf(uint64_t key) { return shards[key % kShards]; }
};

struct Settings {
  Store& store;
  size_t keys;
  size_t set_percent;
  SizeTable small;
  SizeTable medium;
  SizeTable large;
};

class Client {
 public:
  explicit Client(const Settings& settings) : settings_(settings) {}

  void Load(Worker& worker) {
    while (worker.Claim()) Request(worker);
  }

  void Clear(Worker& worker) {
    const auto step = static_cast<size_t>(worker.threads());
    for (auto i = static_cast<size_t>(worker.index()); i < kShards; i += step) {
      settings_.store.shards[i].Close(worker.live());
    }
  }

 private:
  void Request(Worker& worker) const {
    Random& random = worker.random();
    const uint64_t key = Key(random);
    Shard& shard = settings_.store.ShardOf(key);
    const size_t dice = random.Below(100);
    if (dice < settings_.set_percent) {
      const uint64_t lifetime = random.Percent(20) ? 1 + random.Below(20'000) : 0;
      shard.Set(worker.live(), key, NewBlock(worker.live(), ValueBytes(random)), lifetime);
    } else if (dice < settings_.set_percent + 5) {
      shard.Delete(worker.live(), key);
    } else {
      shard.Get(worker.live(), key);
    }
  }

  // Popular keys are asked for more often: the product of two uniform numbers.
  uint64_t Key(Random& random) const {
    const double rank = random.Unit() * random.Unit() * static_cast<double>(settings_.keys);
    return static_cast<uint64_t>(rank) * 0x9e3779b97f4a7c15u;
  }

  size_t ValueBytes(Random& random) const {
    const size_t dice = random.Below(100);
    if (dice < 60) return settings_.small.Pick(random);
    if (dice < 95) return settings_.medium.Pick(random);
    return settings_.large.Pick(random);
  }

  const Settings& settings_;
};

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv, "kv_store: set, get, delete, expiry and eviction on a sharded store");
  const LoadOptions options = ReadLoadOptions(flags, 5'000'000);
  const size_t keys = flags.Count("keys", 500'000, "different keys");
  const size_t set_percent = flags.Count("set-percent", 45, "requests that store a value");
  const size_t limit_mib = flags.Count("limit-mib", 128, "bytes of values before eviction");
  flags.Finish();
  static Store store;
  for (Shard& shard : store.shards) {
    shard.Open(keys / kShards + 1, (limit_mib << 20) / kShards);
  }
  const Settings settings{store,
                          keys,
                          set_percent,
                          SizeTable::LogUniform(16, 128),
                          SizeTable::LogUniform(128, 2048),
                          SizeTable::LogUniform(2048, 32768)};
  return RunScenario<Client>(options, [&](Worker&) { return Client(settings); });
}
