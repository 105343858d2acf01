#include "cache/fork.h"

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "cache/cache_registry.h"
#include "hardening/quarantine.h"
#include "heaps/user_heaps.h"
#include "os/os_process.h"

namespace cma {
namespace {

template <typename F>
void ForEachArena(F f) {
  for (size_t i = 0; i < g_heap.arenas.total(); ++i) {
    if (Arena* arena = g_heap.arenas.Nth(i); arena != nullptr) f(arena);
  }
}

void Prepare() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  g_caches.emptying_lock().Acquire();
  g_user_heaps.lock().Acquire();
  g_heap.arenas.lock().Acquire();
  g_caches.lock().Acquire();
  ForEachArena([](Arena* arena) { arena->AcquireForFork(); });
  g_quarantine.lock().Acquire();
  g_heap.central.lock().Acquire();
  g_heap.huge.lock().Acquire();
  g_heap.huge.table().AcquireAll();
  g_heap.metadata.AcquireAll();
  EnterForkWindow();
}

void Parent() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  LeaveForkWindow();
  g_heap.metadata.ReleaseAll();
  g_heap.huge.table().ReleaseAll();
  g_heap.huge.lock().Release();
  g_heap.central.lock().Release();
  g_quarantine.lock().Release();
  ForEachArena([](Arena* arena) { arena->ReleaseAfterFork(); });
  g_caches.lock().Release();
  g_heap.arenas.lock().Release();
  g_user_heaps.lock().Release();
  g_caches.emptying_lock().Release();
}

// A thread that was between two instructions of the hit path has left its cache whole, but for a
// spare run that may be on its way; one in a slow path may not have, and what it held is lost to
// this child.
void AdoptOrphans() {
  ThreadCache* const survivor = t_cache;
  while (ThreadCache* orphan = g_caches.TakeOrphan(survivor)) {
    if (orphan->in_slow_path.load(std::memory_order_relaxed)) continue;
    DeleteCache(orphan);
  }
  g_heap.arenas.ForgetOthers(survivor->arena);
}

void Child() {
  // Sleepers are gone: waking them would do no harm, waiting for them would.
  Parent();
  g_heap.releaser.ForgetThread();
  g_heap.huge.ForgetOthers();
  AdoptOrphans();
}

}  // namespace

void RegisterForkHandlers() { OsOnFork(Prepare, Parent, Child); }

}  // namespace cma
