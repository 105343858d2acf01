#include "front/resize.h"

#include <string.h>

#include <algorithm>

#include "arena/heap.h"
#include "front/allocate.h"
#include "front/allocate_in_heap.h"
#include "front/found_block.h"
#include "heaps/block_shape.h"

namespace cma {
namespace {

using Contents = HugeBlocks::Contents;

// A block that realloc has to move gets room to grow, so that the next few times it stays: from
// this size on, in bytes, and so much of it. Both seen in realloc_ladder/1: twice the room in
// its peak, other beginnings in its instructions. One that grows where it is gets as much, if there
// is as much: an array that grows by 256 B at a time then takes 0.4 of the time.
constexpr size_t kGrowingBytes = 4 * kKiB;
constexpr size_t kShareOfRoom = 8;

// A huge block stays one while realloc asks for more than so many bytes, the same share below
// kLargeMax: it would be copied each time that its size goes back and forth. Chosen so that it
// wastes no more than a block gets as room; larger shares serve wider swings of a program that
// nobody has seen.
constexpr size_t kLeastHuge = kLargeMax - kLargeMax / kShareOfRoom;

// And realloc cuts no less than so many bytes off it: pieces as short do not wait beside it, but
// are unmapped and mapped anew (kSmallestPiece of HugeBlocks), which takes as long as a long copy.
constexpr size_t kLeastCutOff = 64 * kKiB;

void* AllocateFor(UserHeap* heap, size_t alignment, size_t size) {
  if (heap != nullptr) return AllocateInHeap(*heap, alignment, size, Contents::kAny);
  return alignment == kMinAlignment ? Allocate(size) : AllocateAligned(alignment, size);
}

// Bytes to ask for when a block of `old_bytes` moves.
size_t WithRoom(const UserHeap* heap, size_t old_bytes, size_t size) {
  // What has grown once will grow again.
  if (size <= old_bytes || size < kGrowingBytes || size > kLargeMax) return size;
  const size_t with_room = std::min(size + size / kShareOfRoom, kLargeMax);
  return heap == nullptr || heap->SeemsToHaveRoomFor(RunBytes(with_room)) ? with_room : size;
}

// Usable bytes then, and whether the limit of its heap has refused more.
UserHeap::Resized ResizeRun(const FoundBlock& found, size_t bytes) {
  const UserHeap::Resized resized =
      found.heap != nullptr
          ? found.heap->ResizeRun(found.run, bytes)
          : UserHeap::Resized{
                g_heap.arenas.Owner(found.run.superblock)->ResizeRun(found.run, bytes), false};
  if (bytes < found.bytes) g_heap.releaser.NoteFreed();
  return resized;
}

UserHeap::Resized ResizeHugeInPlace(const FoundBlock& found, std::byte* block, size_t size) {
  if (size > size_t{PTRDIFF_MAX} - kMaxPageBytes) return {found.bytes, false};
  // Not shorter than huge blocks are.
  size = std::max(size, kLargeMax + 1);
  const UserHeap::Resized resized =
      found.heap != nullptr ? found.heap->ResizeHugeInPlace(block, found.bytes, size)
                            : UserHeap::Resized{g_heap.huge.ResizeInPlace(block, size), false};
  g_heap.releaser.NoteFreed();
  return resized;
}

UserHeap::Resized ResizeFoundInPlace(const FoundBlock& found, void* block, size_t size) {
  if (found.kind == FoundBlock::kRun && size <= kGrownMax) {
    return ResizeRun(found, RunBytes(size));
  }
  if (found.kind == FoundBlock::kHuge) {
    return ResizeHugeInPlace(found, static_cast<std::byte*>(block), size);
  }
  return {found.bytes, false};
}

void* MoveBlock(void* block, size_t old_bytes, UserHeap* heap, size_t alignment, size_t size) {
  const size_t with_room = WithRoom(heap, old_bytes, size);
  void* moved = AllocateFor(heap, alignment, with_room);
  if (moved == nullptr && with_room != size) moved = AllocateFor(heap, alignment, size);
  if (moved == nullptr) return nullptr;
  memcpy(moved, block, std::min(old_bytes, size));
  Deallocate(block);
  return moved;
}

[[gnu::cold, gnu::noinline]] bool IsFullFor(const UserHeap& heap, size_t size, size_t alignment) {
  return !heap.SeemsToHaveRoomFor(ShapeOf(size, alignment).bytes);
}

// What becomes shorter needs no other memory: where there is none it stays where it is.
void* MoveOrStay(const FoundBlock& found, void* block, size_t alignment, size_t size) {
  const bool may_stay = size <= found.bytes && AddressOf(block) % alignment == 0;
  const bool must_stay =
      may_stay && found.heap != nullptr && IsFullFor(*found.heap, size, alignment);
  if (!must_stay) {
    void* const moved = MoveBlock(block, found.bytes, found.heap, alignment, size);
    if (moved != nullptr || !may_stay) return moved;
  }
  (void)ResizeFoundInPlace(found, block, size);
  return block;
}

// For realloc: a run stays a run, and shrinking a little is not worth a lock.
bool ReallocateRunInPlace(const FoundBlock& found, size_t size) {
  // The room that a growing block was given is not cut off, nor what a run that waited was too long
  // (a half at most). Nor does one move for so little, back and forth, if its size falls below
  // those of runs.
  if (size <= found.bytes && found.bytes - size <= found.bytes / 3) return true;
  if (size <= kSmallMax || size > kGrownMax) return false;
  const size_t bytes = RunBytes(size);
  if (bytes > found.bytes && found.heap == nullptr) {
    const size_t with_room = RunBytes(std::min(size + size / kShareOfRoom, kGrownMax));
    if (ResizeRun(found, with_room).usable >= with_room) return true;
  }
  return ResizeRun(found, bytes).usable >= size;
}

// Where it is, or by moving its pages; nullptr if neither works, or if it is to be a run.
[[gnu::noinline]] std::byte* ReallocateHuge(const FoundBlock& found, std::byte* block,
                                            size_t size) {
  if (size <= kLeastHuge || size > size_t{PTRDIFF_MAX} - kMaxPageBytes) return nullptr;
  size = RoundUp(std::max(size, kLargeMax + 1), OsPageBytes());
  if (size <= found.bytes && found.bytes - size < kLeastCutOff) return block;
  std::byte* const moved = found.heap != nullptr ? found.heap->ResizeHuge(block, found.bytes, size)
                                                 : g_heap.huge.Resize(block, size);
  g_heap.releaser.NoteFreed();
  return moved;
}

void* ReallocateFound(const FoundBlock& found, void* block, size_t size) {
  switch (found.kind) {
    case FoundBlock::kSmall:
      if (size <= found.bytes && size * 2 > found.bytes) return block;
      break;
    case FoundBlock::kRun:
      if (ReallocateRunInPlace(found, size)) return block;
      break;
    case FoundBlock::kHuge:
      if (void* moved = ReallocateHuge(found, static_cast<std::byte*>(block), size)) return moved;
      break;
  }
  return MoveOrStay(found, block, kMinAlignment, size);
}

}  // namespace

void* Reallocate(void* block, size_t size) {
  if (const size_t bytes = OwnSmallBytes(block); bytes != 0) {
    if (size <= bytes && size * 2 > bytes) return block;
    void* const moved = MoveBlock(block, bytes, nullptr, kMinAlignment, size);
    return moved != nullptr || size > bytes ? moved : block;
  }
  return ReallocateFound(FindBlock("realloc", block), block, size);
}

void* ReallocateAligned(void* block, size_t alignment, size_t size) {
  const FoundBlock found = FindBlock("realloc", block);
  if (AddressOf(block) % alignment == 0) {
    // Pages that move stay at multiples of a page.
    if (found.kind == FoundBlock::kHuge && alignment <= OsPageBytes()) {
      void* const moved = ReallocateHuge(found, static_cast<std::byte*>(block), size);
      if (moved != nullptr) return moved;
    }
    if (found.kind == FoundBlock::kRun && ReallocateRunInPlace(found, size)) return block;
    if (found.kind == FoundBlock::kSmall && size <= found.bytes && size * 2 > found.bytes) {
      return block;
    }
  }
  return MoveOrStay(found, block, alignment, size);
}

void* ReallocateIn(UserHeap* heap, void* block, size_t size) {
  const FoundBlock found = FindBlock("realloc", block);
  if (found.heap == heap) return ReallocateFound(found, block, size);
  return MoveBlock(block, found.bytes, heap, kMinAlignment, size);
}

size_t ResizeInPlace(void* block, size_t size) {
  const FoundBlock found = FindBlock("resize", block);
  const UserHeap::Resized resized = ResizeFoundInPlace(found, block, size);
  if (resized.usable >= size) return resized.usable;
  if (resized.over_limit) found.heap->NoteRefusalLocking();
  return 0;
}

}  // namespace cma
