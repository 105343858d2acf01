#include "arena/block_list.h"

namespace cma {

constinit EmptySlots g_empty_slots;
constinit NoLists g_no_lists;

}  // namespace cma
