#include <algorithm>

#include "base/units.h"
#include "stats/figures.h"
#include "stats/formats.h"

namespace cma {
namespace {

// Classes that are listed, of those that have most free in slabs, if it is so much.
constexpr int kClassesShown = 5;
constexpr size_t kBytesWorthShowing = 256 * kKiB;
// Heaps of the program's that are listed; the other forms have all.
constexpr size_t kHeapsShown = 16;

void WriteFigure(const Figure& figure, size_t value, const Sink& sink) {
  Text text;
  text.Add("cma: ").AddPadded(value / kKiB, 12).Add(" KiB  ").Add(figure.label).Add(": ");
  text.Add(figure.meaning).Add("\n");
  sink.Take(text);
}

size_t FreeBytes(const Details& details, SizeClass c) {
  return details.classes[c].free * ClassBytes(c);
}

// The class with most free bytes in slabs, of those that have less than `below`; 0 if none.
SizeClass NextClass(const Details& details, size_t below) {
  SizeClass most = 0;
  for (SizeClass c = 1; c < kSmallClasses; ++c) {
    const size_t bytes = FreeBytes(details, c);
    if (bytes < below && (most == 0 || bytes > FreeBytes(details, most))) most = c;
  }
  return most;
}

void WriteClass(const Details& details, SizeClass c, const Sink& sink) {
  const ClassFigures& figures = details.classes[c];
  Text text;
  text.Add("cma: ").AddPadded(FreeBytes(details, c) / kKiB, 12).Add(" KiB  free in slabs of ");
  text.AddNumber(ClassBytes(c)).Add(" B: ").AddNumber(figures.slabs).Add(" slabs, ");
  text.AddNumber(figures.slabs_by_fullness[0]).Add(" of them less than a quarter in use; ");
  text.AddNumber(figures.live).Add(" live blocks\n");
  sink.Take(text);
}

// Classes with much that is free in slabs.
void WriteClasses(const Details& details, const Sink& sink) {
  size_t below = ~size_t{0};
  for (int i = 0; i < kClassesShown; ++i) {
    const SizeClass c = NextClass(details, below);
    below = FreeBytes(details, c);
    if (below < kBytesWorthShowing) return;
    WriteClass(details, c, sink);
  }
}

void WriteHeap(const HeapFigures& heap, const Sink& sink) {
  Text text;
  text.Add("cma: ").AddPadded(heap.bytes.live / kKiB, 12).Add(" KiB  heap \"");
  text.AddEscaped(heap.name).Add("\": live; peak ").AddNumber(heap.bytes.peak / kKiB);
  text.Add(" KiB, mapped ").AddNumber(heap.bytes.mapped / kKiB).Add(" KiB");
  if (heap.limit != 0) {
    text.Add(", limit ").AddNumber(heap.limit / kKiB).Add(" KiB, refused ");
    text.AddNumber(heap.refusals).Add(" times");
  }
  sink.Take(text.Add("\n"));
}

void WriteHeaps(const Details& details, const Sink& sink) {
  const size_t shown = std::min(details.heap_count, kHeapsShown);
  for (size_t i = 0; i < shown; ++i) WriteHeap(details.heaps[i], sink);
  if (shown == details.heap_count) return;
  Text text;
  sink.Take(text.Add("cma: and ").AddNumber(details.heap_count - shown).Add(" more heaps\n"));
}

}  // namespace

void WriteText(const Snapshot& snapshot, const Sink& sink) {
  const cma_stats& s = snapshot.totals();
  Text text;
  text.Add("cma: version ").Add(cma_version()).Add(", ").AddNumber(s.arenas);
  text.Add(" arenas, ").AddNumber(s.threads).Add(" threads with a cache, ");
  text.AddNumber(s.huge_blocks).Add(" huge blocks\n");
  sink.Take(text);
  for (const Figure& figure : kFigures) {
    if (figure.kind != FigureKind::kCount) WriteFigure(figure, s.*figure.field, sink);
  }
  if (snapshot.details() == nullptr) return;
  WriteHeaps(*snapshot.details(), sink);
  WriteClasses(*snapshot.details(), sink);
}

}  // namespace cma
