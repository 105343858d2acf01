#pragma once

// A block of `bytes` from the C library's name malloc.
void* MakeBlock(unsigned long bytes);
