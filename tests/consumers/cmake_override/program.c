/* Calls neither malloc nor free: cma's still take the place of the C library's. */
#include <string.h>

char* CopyText(const char* text);
size_t cma_malloc_usable_size(const void* block);

int main(void) {
  /* Aborts with "cma never gave this pointer out" if strdup had it from glibc. */
  return cma_malloc_usable_size(CopyText("fifteen letters")) >= 16 ? 0 : 1;
}
