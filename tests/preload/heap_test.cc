// Blocks of a heap under the names that every program uses: libcma.so is preloaded, and the program
// finds the heaps in it as a plug-in would.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <stdlib.h>

#include <cma/cma.h>

#include <cstring>
#include <thread>

namespace {

template <typename Function>
Function* Find(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

class PreloadedHeapTest : public testing::Test {
 protected:
  void SetUp() override {
    create_ = Find<decltype(cma_heap_create)>("cma_heap_create");
    destroy_ = Find<decltype(cma_heap_destroy)>("cma_heap_destroy");
    malloc_ = Find<decltype(cma_heap_malloc)>("cma_heap_malloc");
    get_stats_ = Find<decltype(cma_heap_get_stats)>("cma_heap_get_stats");
    ASSERT_NE(create_, nullptr);
    heap_ = create_("plug-in", 0);
    ASSERT_NE(heap_, nullptr);
  }
  void TearDown() override { destroy_(heap_); }

  size_t Live() {
    cma_heap_stats stats;
    get_stats_(heap_, &stats);
    return stats.live_bytes;
  }

  decltype(cma_heap_create)* create_ = nullptr;
  decltype(cma_heap_destroy)* destroy_ = nullptr;
  decltype(cma_heap_malloc)* malloc_ = nullptr;
  decltype(cma_heap_get_stats)* get_stats_ = nullptr;
  cma_heap* heap_ = nullptr;
};

TEST_F(PreloadedHeapTest, FreeReallocAndUsableSizeKnowItsBlocks) {
  for (const size_t size : {10, 1000, 5000, 100'000, 3'000'000}) {
    void* block = malloc_(heap_, size);
    ASSERT_NE(block, nullptr);
    memset(block, 1, size);
    EXPECT_EQ(malloc_usable_size(block), Live());
    block = realloc(block, size * 2);
    EXPECT_EQ(malloc_usable_size(block), Live()) << "realloc leaves a block in its heap";

    free(block);

    EXPECT_EQ(Live(), 0u);
  }
}

TEST_F(PreloadedHeapTest, DeleteInAnotherThreadTakesThem) {
  void* const block = malloc_(heap_, 100);

  std::thread([block] { ::operator delete(block); }).join();

  EXPECT_EQ(Live(), 0u);
}

}  // namespace
