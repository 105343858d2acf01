// The prefixed interface of <cma/cma.h>.
#include "cma/cma.h"

#include "cache/cache_lifecycle.h"
#include "front/family.h"
#include "front/memcheck_names.h"
#include "front/option_calls.h"
#include "front/stats_calls.h"
#include "stats/stats.h"

extern "C" {

void* cma_malloc(size_t size) noexcept { return cma::Allocate(size); }
void* cma_calloc(size_t count, size_t size) noexcept { return cma::Calloc(count, size); }
void* cma_realloc(void* block, size_t size) noexcept { return cma::Realloc(block, size); }
void* cma_reallocarray(void* block, size_t count, size_t size) noexcept {
  return cma::ReallocArray(block, count, size);
}
void cma_free(void* block) noexcept { cma::Deallocate(block); }
void cma_free_sized(void* block, size_t) noexcept { cma::Deallocate(block); }
void cma_free_aligned_sized(void* block, size_t, size_t) noexcept { cma::Deallocate(block); }
void* cma_aligned_alloc(size_t alignment, size_t size) noexcept {
  return cma::AlignedAlloc(alignment, size);
}
void* cma_memalign(size_t alignment, size_t size) noexcept {
  return cma::MemAlign(alignment, size);
}
int cma_posix_memalign(void** result, size_t alignment, size_t size) noexcept {
  return cma::PosixMemAlign(result, alignment, size);
}
void* cma_valloc(size_t size) noexcept { return cma::Valloc(size); }
void* cma_pvalloc(size_t size) noexcept { return cma::Pvalloc(size); }
size_t cma_malloc_usable_size(const void* block) noexcept { return cma::UsableSize(block); }
size_t cma_good_size(size_t size) noexcept { return cma::GoodSize(size); }
cma_sized_block cma_malloc_sized(size_t size) noexcept {
  void* const block = cma::Allocate(size);
  return {block, block != nullptr ? cma::UsableBytes("cma_malloc_sized", block) : 0};
}
void* cma_aligned_calloc(size_t alignment, size_t count, size_t size) noexcept {
  return cma::AlignedCalloc(alignment, count, size);
}
void* cma_aligned_realloc(void* block, size_t alignment, size_t size) noexcept {
  return cma::AlignedRealloc(block, alignment, size);
}
size_t cma_try_resize(void* block, size_t size) noexcept {
  return block != nullptr ? cma::ResizeInPlace(block, size) : 0;
}
size_t cma_release() noexcept { return cma::ReleaseMemory(); }
void cma_thread_idle() noexcept { cma::RetireCurrentCache(); }
int cma_malloc_trim(size_t) noexcept { return cma::Trim(); }
void cma_get_stats(cma_stats* stats) noexcept { cma::CollectStats(stats); }
void cma_stats_print(int fd) noexcept { cma::PrintStats(fd); }
int cma_stats_write(cma_stats_format format, cma_write_function write, void* context) noexcept {
  return cma::WriteStatsAs(format, {write, context});
}
int cma_stats_dump(int fd, cma_stats_format format) noexcept {
  return cma::PrintStatsAs(fd, format);
}
int cma_option_set(const char* name, const char* value) noexcept {
  return cma::ChangeOption(name, value);
}
int cma_option_get(const char* name, char* value, size_t size) noexcept {
  return cma::OptionText(name, value, size);
}
const char* cma_version(void) noexcept { return CMA_VERSION_STRING; }

}  // extern "C"
