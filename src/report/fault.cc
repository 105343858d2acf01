#include "report/fault.h"

#include "base/units.h"
#include "os/os_output.h"
#include "report/text.h"

namespace cma {
namespace {

constexpr int kStderr = 2;

[[noreturn]] void Finish(Text& text, const char* advice) {
  text.Add("; ").Add(advice).Add("\n");
  text.WriteTo(kStderr);
  OsAbort();
}

void AddClass(Text& text, size_t block_bytes) {
  if (block_bytes == 0) {
    text.Add(" (no size class)");
    return;
  }
  text.Add(" (size class ").AddNumber(block_bytes).Add(" B)");
}

}  // namespace

void ReportDoubleFree(const void* block, size_t block_bytes) {
  Text text;
  text.Add("cma: double free of ").AddHex(AddressOf(block));
  AddClass(text, block_bytes);
  text.Add(": the block is already free");
  Finish(text, "aborting; run under valgrind or -fsanitize=address to see the first free");
}

void ReportFreedBlock(const char* operation, const void* block, size_t block_bytes) {
  if (operation[0] == 'f') ReportDoubleFree(block, block_bytes);
  Text text;
  text.Add("cma: invalid ").Add(operation).Add(" of ").AddHex(AddressOf(block));
  AddClass(text, block_bytes);
  text.Add(": the block is already free");
  Finish(text, "aborting; run under valgrind or -fsanitize=address to see the free");
}

void ReportFreeMemory(const char* operation, const void* pointer) {
  Text text;
  text.Add(operation[0] == 'f' ? "cma: double " : "cma: invalid ").Add(operation);
  text.Add(" of ").AddHex(AddressOf(pointer));
  text.Add(" (no size class): it lies in free memory, freed before or never given out");
  Finish(text, "aborting; run under valgrind or -fsanitize=address to see which");
}

void ReportInteriorPointer(const char* operation, const void* pointer, size_t block_bytes) {
  Text text;
  text.Add("cma: invalid ").Add(operation).Add(" of ").AddHex(AddressOf(pointer));
  AddClass(text, block_bytes);
  text.Add(": it is not the start of a block");
  Finish(text, "aborting; pass the pointer that malloc returned");
}

void ReportForeignPointer(const char* operation, const void* pointer) {
  Text text;
  text.Add("cma: invalid ").Add(operation).Add(" of ").AddHex(AddressOf(pointer));
  text.Add(" (no size class): cma never gave this pointer out");
  Finish(text, "aborting; look for a stack, static or foreign pointer, or memory overwritten");
}

void ReportWrongHeap(const char* operation, const void* heap) {
  Text text;
  text.Add("cma: invalid ").Add(operation).Add(" with heap ").AddHex(AddressOf(heap));
  text.Add(": it is no live heap");
  Finish(text, "aborting; pass what cma_heap_create returned, and only until cma_heap_destroy");
}

void ReportNoMemory(size_t bytes) {
  Text text;
  text.Add("cma: out of memory: operator new of ").AddNumber(bytes);
  text.Add(" B failed and no C++ runtime is loaded to throw std::bad_alloc");
  Finish(text,
         "aborting; raise the memory limit, use operator new(std::nothrow), or link a static "
         "program with -Wl,-u,_ZSt17__throw_bad_allocv");
}

void ReportCorruption(const char* what, const void* where) {
  Text text;
  text.Add("cma: heap corruption: ").Add(what).Add(" at ").AddHex(AddressOf(where));
  Finish(text, "aborting; run under valgrind or -fsanitize=address to find the stray write");
}

}  // namespace cma
