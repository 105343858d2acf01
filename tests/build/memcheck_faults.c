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

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  if (strcmp(argv[1], "leak") == 0) return Leak();
  if (strcmp(argv[1], "overflow") == 0) return Overflow();
  if (strcmp(argv[1], "use-after-free") == 0) return UseAfterFree();
  if (strcmp(argv[1], "uninitialised") == 0) return Uninitialised();
  return strcmp(argv[1], "fine") == 0 ? Fine() : 2;
}
