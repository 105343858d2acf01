/* memcheck_faults KIND: one fault, with blocks of cma_malloc() and its like. For memcheck_test.sh. */
#include <stdlib.h>
#include <string.h>

#include <cma/cma.h>

static void* volatile g_sink;

static int Leak(void) {
  g_sink = cma_malloc(41);
  g_sink = NULL;
  return 0;
}

/* One byte behind what was asked for, within what cma would have given. */
static int Overflow(void) {
  volatile char* block = cma_malloc(41);
  block[41] = 1;
  cma_free((void*)block);
  return 0;
}

static int UseAfterFree(void) {
  volatile char* block = cma_realloc(NULL, 41);
  cma_free((void*)block);
  return block[3];
}

static int Uninitialised(void) {
  volatile char* block = cma_aligned_alloc(64, 128);
  const int result = block[5] == 1 ? 1 : 0;
  cma_free((void*)block);
  return result;
}

static int Fine(void) {
  void* blocks[7] = {cma_malloc(10),       cma_calloc(3, 7),   cma_aligned_alloc(64, 100),
                     cma_memalign(32, 50), cma_valloc(10),     cma_pvalloc(10),
                     cma_reallocarray(NULL, 4, 5)};
  void* aligned = NULL;
  int result = 0;
  if (cma_posix_memalign(&aligned, 256, 1000) != 0) result = 1;
  for (int i = 0; i < 7; ++i) {
    if (cma_malloc_usable_size(blocks[i]) < 10) result = 2;
    memset(blocks[i], i, 10);
    if (i % 2 == 0) cma_free(blocks[i]);
    else cma_free_sized(blocks[i], 10);
  }
  cma_free_aligned_sized(aligned, 256, 1000);
  if (cma_aligned_alloc(3, 10) != NULL || cma_posix_memalign(&aligned, 3, 10) == 0) result = 3;
  return result;
}

/* What was asked for, under memcheck as without it. */
static int Resized(void) {
  cma_sized_block sized = cma_malloc_sized(10);
  char* block = cma_aligned_calloc(64, 3, 7);
  int result = 0;
  if (sized.block == NULL || sized.bytes < 10) result = 4;
  if (block == NULL || block[20] != 0) result = 5;
  if (cma_try_resize(block, 1000 * 1000) != 0 || cma_try_resize(block, 20) < 20) result = 6;
  block = cma_aligned_realloc(block, 128, 500);
  if (block == NULL || (size_t)block % 128 != 0 || block[20] != 0) result = 7;
  cma_free(block);
  cma_free(sized.block);
  return result;
}

static int Heaps(void) {
  cma_heap* heap = cma_heap_create("memcheck", 0);
  char* block = cma_heap_calloc(heap, 3, 7);
  void* aligned = cma_heap_aligned_alloc(heap, 64, 10);
  int result = 0;
  if (block == NULL || block[20] != 0 || (size_t)aligned % 64 != 0) result = 8;
  block = cma_heap_realloc(heap, block, 1000);
  cma_free(block);
  cma_free(aligned);
  cma_free(cma_heap_malloc(heap, 10));
  cma_heap_destroy(heap);
  return result;
}

/* One byte behind what was asked for, in a block of a heap. */
static int OverflowInHeap(void) {
  cma_heap* heap = cma_heap_create("memcheck", 0);
  volatile char* block = cma_heap_malloc(heap, 41);
  block[41] = 1;
  cma_free((void*)block);
  cma_heap_destroy(heap);
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  if (strcmp(argv[1], "leak") == 0) return Leak();
  if (strcmp(argv[1], "overflow") == 0) return Overflow();
  if (strcmp(argv[1], "use-after-free") == 0) return UseAfterFree();
  if (strcmp(argv[1], "uninitialised") == 0) return Uninitialised();
  if (strcmp(argv[1], "overflow-in-heap") == 0) return OverflowInHeap();
  if (strcmp(argv[1], "fine") != 0) return 2;
  const int result = Fine();
  return result != 0 ? result : Resized() + Heaps();
}
