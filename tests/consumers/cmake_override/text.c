#include <cma/cma.h>
#include <string.h>

/* strdup is the C library's and calls malloc: nothing here refers to it. */
char* CopyText(const char* text) { return cma_malloc_usable_size(NULL) == 0 ? strdup(text) : NULL; }
