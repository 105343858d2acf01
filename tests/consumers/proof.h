/* How a consumer proves at run time which allocator it has. C99 and C++. */
#ifndef CMA_TESTS_CONSUMERS_PROOF_H_
#define CMA_TESTS_CONSUMERS_PROOF_H_

#include <cma/cma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kProofBytes = 3 << 20 };

static size_t LiveBytes(void) {
  cma_stats stats;
  cma_get_stats(&stats);
  return stats.live_bytes;
}

/* Ends the program with status 1 unless malloc is cma's (expected = 1), or is not (0). */
static void ProveMalloc(int expected) {
  const size_t before = LiveBytes();
  /* volatile: compilers may leave out a block that is only filled and freed. */
  char* volatile block = (char*)malloc(kProofBytes);
  size_t grown;
  if (block == NULL) exit(1);
  memset(block, 1, kProofBytes);
  grown = LiveBytes() - before;
  free(block);
  if ((grown >= kProofBytes) != expected || (grown == 0) == expected) {
    fprintf(stderr, "malloc(%d) made cma's live bytes grow by %zu\n", kProofBytes, grown);
    exit(1);
  }
  printf("cma %s: malloc is %s\n", cma_version(), expected ? "cma's" : "not cma's");
}

#endif
