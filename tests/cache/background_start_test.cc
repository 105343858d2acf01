// The thread that returns memory starts inside an allocation, and its start allocates: the block of
// that allocation is not lost to it, whatever the sizes are.
//
// cma-test: not=thread,address
#include <errno.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <cma/cma.h>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "support/scoped_options.h"

namespace {

size_t g_bytes = 0;
size_t g_starts = 0;
void* g_blocks[7];  // more than a first refill leaves

}  // namespace

// Stands in for the C library's: allocates from the list that the caller is busy with, and then
// refuses, so that the next allocation starts a thread again.
extern "C" int pthread_create(pthread_t* __restrict, const pthread_attr_t* __restrict,
                              void* (*)(void*), void* __restrict) noexcept {
  ++g_starts;
  for (void*& block : g_blocks) block = cma_malloc(g_bytes);
  return EAGAIN;
}

namespace cma {
namespace {

TEST(BackgroundStartTest, TheAllocationThatStartsTheThreadReturnsItsBlock) {
  cma_free(cma_malloc(16));
  const cma_test::ScopedOptions restore;
  g_options.background_thread = 1;
  g_options.background_start_mib = 0;
  for (size_t bytes = 16; bytes <= kMediumMax; bytes = ClassBytes(ClassOf(bytes + 1))) {
    g_bytes = bytes;
    g_starts = 0;
    ThreadCache::FlushCurrent();
    g_heap.releaser.ForgetThread();

    void* const block = cma_malloc(bytes);

    ASSERT_NE(block, nullptr) << bytes;
    EXPECT_EQ(g_starts, 1u) << bytes;
    cma_free(block);
    for (void* taken : g_blocks) cma_free(taken);
    if (bytes == kMediumMax) break;
  }
}

}  // namespace
}  // namespace cma
