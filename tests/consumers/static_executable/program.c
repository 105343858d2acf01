#include "proof.h"

int main(void) {
  /* strdup's block comes from inside the C library. */
  char* const copy = strdup("text");
  if (cma_malloc_usable_size(copy) == 0) return 1;
  free(copy);
  ProveMalloc(1);
  return 0;
}
