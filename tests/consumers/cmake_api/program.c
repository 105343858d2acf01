#include "proof.h"

int main(void) {
  const size_t before = LiveBytes();
  char* const block = cma_malloc(kProofBytes);
  if (block == NULL || LiveBytes() - before < kProofBytes) return 1;
  cma_free(block);
  ProveMalloc(0);
  return 0;
}
