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

// Whether the forking thread was interrupted, by the signal that lets it fork, where it held locks:
// it goes on with what it does there in the child as well.
constinit bool g_within_holder = false;

void Hold(Lock& lock) {
  if (!lock.AcquireForFork()) g_within_holder = true;
}

void Prepare() {
  // Under the first lock: other threads may be forking, too.
  g_within_holder = !g_caches.emptying_lock().AcquireForFork();
  Hold(g_user_heaps.lock());
  Hold(g_heap.arenas.lock());
  Hold(g_caches.lock());
  ForEachArena([](Arena* arena) { Hold(arena->lock()); });
  Hold(g_quarantine.lock());
  Hold(g_heap.central.lock());
  Hold(g_heap.huge.lock());
  if (!g_heap.huge.table().AcquireAllForFork()) g_within_holder = true;
  if (!g_heap.metadata.AcquireAllForFork()) g_within_holder = true;
  EnterForkWindow();
}

void Parent() {
  LeaveForkWindow();
  g_heap.metadata.ReleaseAllAfterFork();
  g_heap.huge.table().ReleaseAllAfterFork();
  g_heap.huge.lock().ReleaseAfterFork();
  g_heap.central.lock().ReleaseAfterFork();
  g_quarantine.lock().ReleaseAfterFork();
  ForEachArena([](Arena* arena) { arena->lock().ReleaseAfterFork(); });
  g_caches.lock().ReleaseAfterFork();
  g_heap.arenas.lock().ReleaseAfterFork();
  g_user_heaps.lock().ReleaseAfterFork();
  g_caches.emptying_lock().ReleaseAfterFork();
}

// A thread that was between two instructions of the hit path has left its cache whole, but for a
// spare run that may be on its way; one in a slow path may not have, and what it held is lost to
// this child. Calls of the child empty the others, one at a time: most children are about to run
// another program.
void LeaveOrphans() {
  ThreadCache* const survivor = t_cache;
  g_caches.LeaveOrphans(survivor);
  g_heap.arenas.ForgetOthers(survivor->arena);
  g_heap.releaser.NoteLeftCaches();
}

void Child() {
  // Sleepers are gone: waking them would do no harm, waiting for them would.
  Parent();
  g_heap.releaser.ForgetThread();
  if (g_within_holder) return;  // these would wait for what it holds
  g_heap.huge.ForgetOthers();
  LeaveOrphans();
}

}  // namespace

void RegisterForkHandlers() { OsOnFork(Prepare, Parent, Child); }

}  // namespace cma
