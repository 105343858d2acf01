#include <stdlib.h>

void* MakeBlock(size_t bytes) { return malloc(bytes); }
void DropBlock(void* block) { free(block); }
