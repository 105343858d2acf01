#include "front/option_calls.h"

#include <errno.h>
#include <string.h>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "options/option_value.h"
#include "options/options.h"
#include "os/os_output.h"
#include "report/text.h"

namespace cma {
namespace {

int Refuse(int error) {
  errno = error;
  return -1;
}

}  // namespace

int ChangeOption(const char* name, const char* value) {
  EnsureHeap();  // CMA_OPTIONS is read first, or it would win
  switch (SetOption(name, value, g_options)) {
    case SetResult::kUnknownName:
      return Refuse(ENOENT);
    case SetResult::kFixedAtStart:
      return Refuse(EPERM);
    case SetResult::kBadValue:
      return Refuse(EINVAL);
    case SetResult::kSet:
      break;
  }
  if (g_options.stats != 0) OsKeepErrors();
  g_heap.limit.NoteOptions();
  if (g_heap.limit.purge_due()) g_heap.releaser.Purge();
  // What is free would serve requests that the limit is to refuse.
  if (g_heap.limit.IsOverHardLimit()) ThreadCache::Reclaim();
  g_heap.releaser.NoteDelay();
  return 0;
}

int OptionText(const char* name, char* value, size_t size) {
  EnsureHeap();
  const OptionInfo* option = FindOption(name, strlen(name));
  if (option == nullptr) return Refuse(ENOENT);
  Text text;
  AddValue(text, *option, g_options.*option->field);
  if (text.size() >= size) return Refuse(ERANGE);
  memcpy(value, text.data(), text.size());
  value[text.size()] = '\0';
  return 0;
}

}  // namespace cma
