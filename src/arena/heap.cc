#include "arena/heap.h"

namespace cma {

constinit Heap g_heap(kLinuxOs);

}  // namespace cma
