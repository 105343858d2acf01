// A fixture with the layers from the operating system up to the arenas, on a fake of the former
// and apart from the heap of the process.
#ifndef CMA_TESTS_SUPPORT_HEAP_FIXTURE_H_
#define CMA_TESTS_SUPPORT_HEAP_FIXTURE_H_

#include <gtest/gtest.h>

#include "arena/arena_set.h"
#include "central/address_map.h"
#include "central/central_heap.h"
#include "central/huge_blocks.h"
#include "central/metadata.h"
#include "runs/boundary_tags.h"
#include "support/fake_os.h"
#include "support/scoped_options.h"

namespace cma_test {

// Large, but GoogleTest makes fixtures with new.
class HeapFixture : public testing::Test {
 protected:
  using Run = cma::Run;  // not testing::Test::Run()

  HeapFixture() {
    map_.Initialize(os_.ops());
    arenas_.CountCpus();
    arenas_.Initialize(4);
  }

  // What the layers say that they hold.
  size_t HeldBytes() const {
    return metadata_.mapped_bytes() + central_.mapped_bytes() + huge_.live_bytes() +
           huge_.cached_bytes();
  }

  ScopedOptions options_;
  FakeOs os_;
  cma::Metadata metadata_{os_.ops()};
  cma::AddressMap map_;
  cma::CentralHeap central_{os_.ops(), metadata_, map_};
  cma::MemoryLimit huge_limit_;
  cma::HugeBlocks huge_{os_.ops(), metadata_, huge_limit_};
  cma::ArenaSet arenas_{central_};
};

}  // namespace cma_test

#endif  // CMA_TESTS_SUPPORT_HEAP_FIXTURE_H_
