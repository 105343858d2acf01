#include "cache/cache_lifecycle.h"

#include <new>

#include "arena/heap.h"
#include "cache/cache_registry.h"
#include "cache/fork.h"
#include "cache/list_upkeep.h"
#include "cache/uncached.h"
#include "hardening/quarantine.h"
#include "options/options.h"
#include "os/os_output.h"
#include "os/os_process.h"

namespace cma {
namespace {

// A cache and the first arrays of its lists: a dozen, all that a thread needs which allocates little.
constexpr size_t kCacheBytes = 4 * kKiB;
static_assert(sizeof(ThreadCache) <= kCacheBytes - 512, "some lists have their first array");

// That of a thread without one. Never written.
constinit ThreadCache g_no_cache;

// Where every arena has two threads already there are more threads than CPUs, and many may never do
// much: so many of their first allocations and frees, and they have a cache. Chosen by idle_threads
// that churn 16 KiB first (half); double is the same there and in thread_phases/8.
constexpr uint32_t kCallsBeforeCache = 128;
constinit thread_local uint32_t t_calls_without_cache = 0;
// Such a thread looks at the first of so many calls whether an arena or a cache has become free.
constexpr uint32_t kCallsBetweenLooks = 16;
static_assert(kCallsBeforeCache % kCallsBetweenLooks == 0);
// Those of a thread that has ended its cache, and is past the point where another one could be
// ended.
constexpr uint32_t kCacheHasEnded = UINT32_MAX;

// Set when a thread exit can be told.
constinit std::atomic<bool> g_heap_ready{false};
constinit std::atomic<bool> g_fork_registered{false};

void EndCache(ThreadCache* cache) {
  g_caches.Remove(cache);
  Arena* const arena = cache->arena;
  DeleteCache(cache);
  arena->Leave();
  g_heap.arenas.NoteVacant(arena);
}

// The thread's blocks are what the next thread will want: it gets the cache as it is, unless the
// next round of the releaser is sooner.
void EndCacheAtExit(void* value) {
  if (OsIsMainThread()) g_heap.releaser.EndThread();
  auto* cache = static_cast<ThreadCache*>(value);
  if (cache != t_cache) return;
  t_cache = &g_no_cache;
  t_calls_without_cache = kCacheHasEnded;
  if (cache == &g_no_cache) return;
  DeliverFew(cache);
  Arena* const arena = cache->arena;
  if (!g_caches.Park(cache, g_heap.arenas.count())) return EndCache(cache);
  g_heap.arenas.NoteVacant(arena);
  g_heap.releaser.NoteFreed();
}

void EnsureForkHandlers() {
  if (!g_fork_registered.exchange(true, std::memory_order_relaxed)) RegisterForkHandlers();
}

// A new cache for a thread that has joined the arena.
ThreadCache* NewCache(Arena* arena) {
  void* const memory = g_heap.metadata.Take(kCacheBytes);
  if (memory == nullptr) {
    arena->Leave();
    return nullptr;
  }
  auto* const cache = new (memory) ThreadCache;
  // The first arrays follow the cache.
  constexpr size_t kUsed = RoundUp(sizeof(ThreadCache), 64);
  cache->arrays.Lend(static_cast<std::byte*>(memory) + kUsed, kCacheBytes - kUsed);
  cache->SetArena(arena);
  g_caches.Add(cache);
  return cache;
}

// What a thread that has ended has left, or a new one: best with an arena that no other thread has.
// nullptr if there is no memory for it, and if only a new one would do and none is to be made.
ThreadCache* CacheForNewThread(bool make_one) {
  if (g_caches.caches() != 0) g_heap.arenas.UseAll();
  Arena* const current = g_heap.arenas.Current();
  if (current == nullptr) return nullptr;
  if (ThreadCache* const left = g_caches.Adopt(current, true)) return left;
  if (Arena* const unused = g_heap.arenas.JoinForNewThread()) return NewCache(unused);
  if (ThreadCache* const left = g_caches.Adopt(current, false)) return left;
  // Threads that work, one per CPU, and the one that started them and waits.
  if (Arena* const shared = g_heap.arenas.JoinUsedBy(1)) return NewCache(shared);
  if (!make_one) return nullptr;
  current->Join();
  return NewCache(current);
}

}  // namespace

constinit thread_local ThreadCache* t_cache = &g_no_cache;

bool HeapIsReady() { return g_heap_ready.load(std::memory_order_acquire); }

void EnsureHeap() {
  if (HeapIsReady()) [[likely]] return;
  LockGuard guard(g_heap.arenas.lock());
  if (g_heap_ready.load(std::memory_order_relaxed)) return;
  FitDefaults(g_heap.arenas.CountCpus(), g_options);
  if (const char* text = OsEnvironment("CMA_OPTIONS"); text != nullptr)
    ParseOptions(text, g_options);
  if (g_options.stats != 0) OsKeepErrors();
  g_address_map.Initialize(g_heap.central.os());
  g_heap.arenas.Initialize(g_options.arenas);
  if (IsHardened()) g_heap.arenas.UseAll();
  if (g_options.quarantine_kib != 0) {
    g_quarantine.Open(g_options.quarantine_kib * kKiB, g_heap.metadata);
  }
  OsOnThreadExit(EndCacheAtExit);
  Arena::SetCacheProbe(
      [](SizeClass c, const std::byte* block) { return g_caches.TryHolds(c, AddressOf(block)); });
  Releaser::SetLeftCaches(
      [](bool all) {
        g_caches.MarkParked();
        return g_caches.MarkSpares(all);
      },
      EmptyMarkedCache);
  // Release pairs with the acquire in HeapIsReady(): everything that was set up is visible.
  g_heap_ready.store(true, std::memory_order_release);
}

void DeleteCache(ThreadCache* cache) {
  EmptyCache(cache);
  cache->outbox.Close(g_heap.arenas, g_heap.metadata);
  cache->arrays.Clear(g_heap.metadata);
  g_caches.UnclaimAll(cache);
  g_heap.metadata.Give(cache, kCacheBytes);
}

bool EmptyMarkedCache(bool may_wait) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (may_wait) {
    g_caches.emptying_lock().Acquire();
  } else if (!g_caches.emptying_lock().TryAcquire()) {
    return false;
  }
  ThreadCache* const cache = g_caches.TakeMarked();
  if (cache != nullptr) DeleteCache(cache);
  const bool emptied = cache != nullptr || g_caches.GiveMarkedSpares(GiveSpare);
  g_caches.emptying_lock().Release();
  return emptied;
}

void RetireCurrentCache() {
  ThreadCache* const cache = t_cache;
  if (cache == &g_no_cache) return;
  t_cache = &g_no_cache;
  t_calls_without_cache = kCallsBeforeCache;
  EndCache(cache);
  OsSetThreadValue(&g_no_cache);
}

ThreadCache* CurrentCache() {
  ThreadCache* cache = t_cache;
  if (cache != &g_no_cache) [[likely]]
    return cache;
  const uint32_t calls = t_calls_without_cache;
  if (calls == kCacheHasEnded) return nullptr;
  const bool make_one = calls >= kCallsBeforeCache;
  if (!make_one) t_calls_without_cache = calls + 1;
  if (!make_one && calls % kCallsBetweenLooks != 0) return nullptr;
  EnsureHeap();
  if (IsHardened()) {
    EnsureForkHandlers();
    if (calls == 0) OsSetThreadValue(&g_no_cache);  // its end is to be told all the same
    return nullptr;
  }
  cache = CacheForNewThread(make_one);
  if (cache != nullptr) t_cache = cache;
  // From here on this thread can allocate, and these two may. A thread without a cache has a value
  // too: what it frees when its destructors have run must not give it a cache that nobody would
  // end.
  OsSetThreadValue(t_cache);
  EnsureForkHandlers();
  return cache;
}

}  // namespace cma
