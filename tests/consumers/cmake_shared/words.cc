#include "words.h"

#include <cstdlib>

void* MakeBlock(unsigned long bytes) { return std::malloc(bytes); }
