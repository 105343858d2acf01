#include "proof.h"

int main(void) {
  ProveMalloc(1);
  return 0;
}
