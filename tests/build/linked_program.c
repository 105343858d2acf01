/* A C program with cma linked in: `linked_program shared|override|static|api`. With api, malloc is the C
 * library's and only the prefixed names are cma's; else both are. Also compiles <cma/cma.h> as C99
 * and shows that a C program needs no C++ runtime. */
#include <cma/cma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kBytes = 3 << 20 };

static size_t LiveBytes(void) {
  cma_stats stats;
  cma_get_stats(&stats);
  return stats.live_bytes;
}

int main(int argc, char** argv) {
  int overrides = argc > 1 && strcmp(argv[1], "api") != 0;
  size_t before, grown;
  char* block;

  block = cma_malloc(kBytes);
  if (block == NULL) return 1;
  memset(block, 1, kBytes);
  if (overrides) {
    free(block);
  } else {
    cma_free(block);
  }

  before = LiveBytes();
  block = malloc(kBytes);
  if (block == NULL) return 1;
  memset(block, 2, kBytes);
  grown = LiveBytes() - before;
  free(block);
  if ((grown >= kBytes) != overrides) {
    fprintf(stderr, "malloc(%d) made cma's live bytes grow by %zu\n", kBytes, grown);
    return 1;
  }
  printf("cma %s: malloc is %s\n", cma_version(), overrides ? "cma's" : "the C library's");
  return 0;
}
