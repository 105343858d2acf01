// Some threads only allocate, others only free: every block dies on another thread than it was
// born on. Batches travel through one bounded queue. With one thread it plays both parts.
// Pattern: C. Lever and D. Boreham, "malloc() Performance in a Multithreaded Linux Environment"
// (USENIX 2000). One op is one malloc + free.

#include <pthread.h>

#include "harness.h"

namespace {

using namespace scenario;

// Allocated by a producer, freed by a consumer, like the blocks in it.
struct Batch {
  Batch* next;
  size_t count;
  Block* blocks[1];

  static size_t Bytes(size_t count) { return sizeof(Batch) + (count - 1) * sizeof(Block*); }
};

// A bounded queue; intrusive, so that only the producers' blocks come from malloc.
class BatchQueue {
 public:
  BatchQueue(size_t limit, int producers) : limit_(limit), producers_(producers) {}

  void Put(Batch* batch) {
    pthread_mutex_lock(&mutex_);
    while (length_ >= limit_) pthread_cond_wait(&not_full_, &mutex_);
    batch->next = nullptr;
    *tail_ = batch;
    tail_ = &batch->next;
    ++length_;
    pthread_mutex_unlock(&mutex_);
    pthread_cond_signal(&not_empty_);
  }

  // nullptr: the last producer has finished and the queue is empty.
  Batch* Take() {
    pthread_mutex_lock(&mutex_);
    while (head_ == nullptr && producers_ > 0) pthread_cond_wait(&not_empty_, &mutex_);
    Batch* batch = head_;
    if (batch != nullptr) {
      head_ = batch->next;
      if (head_ == nullptr) tail_ = &head_;
      --length_;
    }
    pthread_mutex_unlock(&mutex_);
    pthread_cond_signal(&not_full_);
    return batch;
  }

  void ProducerLeaves() {
    pthread_mutex_lock(&mutex_);
    --producers_;
    pthread_mutex_unlock(&mutex_);
    pthread_cond_broadcast(&not_empty_);
  }

 private:
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t not_full_ = PTHREAD_COND_INITIALIZER;
  pthread_cond_t not_empty_ = PTHREAD_COND_INITIALIZER;
  Batch* head_ = nullptr;
  Batch** tail_ = &head_;
  size_t length_ = 0;
  const size_t limit_;
  int producers_;
};

struct Settings {
  size_t batch;
  int producers;
  SizeTable sizes;
  BatchQueue& queue;
};

class Role {
 public:
  explicit Role(const Settings& settings) : settings_(settings) {}

  void Load(Worker& worker) {
    if (worker.threads() == 1) {
      while (worker.Claim(settings_.batch)) Consume(worker, Produce(worker));
    } else if (worker.index() < settings_.producers) {
      while (worker.Claim(settings_.batch)) settings_.queue.Put(Produce(worker));
      settings_.queue.ProducerLeaves();
    } else {
      while (Batch* batch = settings_.queue.Take()) Consume(worker, batch);
    }
  }

  void Clear(Worker&) {}

 private:
  Batch* Produce(Worker& worker) const {
    const size_t count = settings_.batch;
    auto* batch = static_cast<Batch*>(std::malloc(Batch::Bytes(count)));
    if (batch == nullptr) Fail("malloc returned NULL");
    batch->count = count;
    for (size_t i = 0; i < count; ++i) {
      batch->blocks[i] = NewBlock(worker.live(), settings_.sizes.Pick(worker.random()));
    }
    return batch;
  }

  static void Consume(Worker& worker, Batch* batch) {
    for (size_t i = 0; i < batch->count; ++i) FreeBlock(worker.live(), batch->blocks[i]);
    std::free(batch);
  }

  const Settings& settings_;
};

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv, "producer_consumer: blocks are freed by another thread");
  LoadOptions options = ReadLoadOptions(flags, 10'000'000);
  const size_t batch = flags.Count("batch", 100, "blocks handed over at a time");
  const size_t queue_limit = flags.Count("queue", 64, "batches that may wait");
  const auto half = static_cast<uint64_t>((options.threads + 1) / 2);
  const auto producers =
      static_cast<int>(flags.Count("producers", half, "threads that allocate; the others free"));
  const size_t max_size = flags.Count("max-size", 1024, "largest block; smallest is 16");
  flags.Finish();
  if (options.threads > 1 && (producers < 1 || producers >= options.threads)) {
    flags.Reject("producers", "", "1 to threads - 1");
  }
  // Only producers claim operations: give each its share of the whole.
  if (options.threads > 1) {
    options.ops =
        options.ops * static_cast<uint64_t>(options.threads) / static_cast<uint64_t>(producers);
  }
  BatchQueue queue(queue_limit, producers);
  const Settings settings{batch, producers, SizeTable::LogUniform(16, max_size), queue};
  return RunScenario<Role>(options, [&](Worker&) { return Role(settings); });
}
