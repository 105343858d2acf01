// Source: https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4.
#include "stats/figures.h"
#include "stats/formats.h"

namespace cma {
namespace {

void WriteHead(const char* name, const char* suffix, const char* type, const char* help,
               const Sink& sink) {
  Text text;
  text.Add("# HELP cma_").Add(name).Add(suffix).Add(" ").Add(help).Add("\n");
  text.Add("# TYPE cma_").Add(name).Add(suffix).Add(" ").Add(type).Add("\n");
  sink.Take(text);
}

void WriteFigure(const Figure& figure, size_t value, const Sink& sink) {
  const bool is_total = figure.kind == FigureKind::kTotalBytes;
  const char* const suffix = is_total ? "_total" : "";
  WriteHead(figure.name, suffix, is_total ? "counter" : "gauge", figure.meaning, sink);
  Text text;
  sink.Take(text.Add("cma_").Add(figure.name).Add(suffix).Add(" ").AddNumber(value).Add("\n"));
}

void WriteArenaSample(size_t arena, const char* state, size_t bytes, const Sink& sink) {
  Text text;
  text.Add("cma_arena_bytes{arena=\"").AddNumber(arena).Add("\",state=\"").Add(state);
  sink.Take(text.Add("\"} ").AddNumber(bytes).Add("\n"));
}

void WriteArenas(const Details& details, const Sink& sink) {
  WriteHead("arena_bytes", "", "gauge", "superblocks of an arena, by what they hold", sink);
  for (size_t i = 0; i < details.arena_count; ++i) {
    const ArenaFigures& arena = details.arenas[i];
    WriteArenaSample(arena.number, "lent", arena.lent, sink);
    WriteArenaSample(arena.number, "slab_free", arena.slab_free, sink);
    WriteArenaSample(arena.number, "free_run", arena.free_run, sink);
  }
}

void WriteHeapSample(const char* metric, const HeapFigures& heap, const char* state, size_t value,
                     const Sink& sink) {
  Text text;
  text.Add(metric).Add("{heap=\"").AddEscaped(heap.name).Add("\",arena=\"").AddNumber(heap.arena);
  if (state != nullptr) text.Add("\",state=\"").Add(state);
  sink.Take(text.Add("\"} ").AddNumber(value).Add("\n"));
}

// Two heaps may have one name, but not one arena.
void WriteHeaps(const Details& details, const Sink& sink) {
  if (details.heap_count == 0) return;
  constexpr char kBytes[] = "cma_heap_bytes";
  WriteHead("heap_bytes", "", "gauge", "heaps that the program has made", sink);
  for (size_t i = 0; i < details.heap_count; ++i) {
    const HeapFigures& heap = details.heaps[i];
    WriteHeapSample(kBytes, heap, "live", heap.bytes.live, sink);
    WriteHeapSample(kBytes, heap, "peak", heap.bytes.peak, sink);
    WriteHeapSample(kBytes, heap, "mapped", heap.bytes.mapped, sink);
    if (heap.limit != 0) WriteHeapSample(kBytes, heap, "limit", heap.limit, sink);
  }
  WriteHead("heap_refusals", "_total", "counter", "times that a heap's limit has refused", sink);
  for (size_t i = 0; i < details.heap_count; ++i) {
    WriteHeapSample("cma_heap_refusals_total", details.heaps[i], nullptr, details.heaps[i].refusals,
                    sink);
  }
}

void WriteClassSample(const char* metric, SizeClass c, const char* label, const char* value,
                      size_t number, const Sink& sink) {
  Text text;
  text.Add(metric).Add("{block_bytes=\"").AddNumber(ClassBytes(c)).Add("\",").Add(label);
  sink.Take(text.Add("=\"").Add(value).Add("\"} ").AddNumber(number).Add("\n"));
}

void WriteClasses(const Details& details, const Sink& sink) {
  constexpr char kBlocks[] = "cma_class_blocks";
  constexpr char kSlabs[] = "cma_class_slabs";
  WriteHead("class_blocks", "", "gauge", "blocks of a size class, by where they are", sink);
  for (SizeClass c = 1; c < kSizeClasses; ++c) {
    const ClassFigures& figures = details.classes[c];
    if (figures.IsEmpty()) continue;
    WriteClassSample(kBlocks, c, "state", "live", figures.live, sink);
    WriteClassSample(kBlocks, c, "state", "cached", figures.cached, sink);
    WriteClassSample(kBlocks, c, "state", "depot", figures.depot, sink);
    WriteClassSample(kBlocks, c, "state", "free", figures.free, sink);
  }
  WriteHead("class_slabs", "", "gauge", "slabs of a size class, by the share in use", sink);
  for (SizeClass c = 1; c < kSmallClasses; ++c) {
    const ClassFigures& figures = details.classes[c];
    for (size_t i = 0; figures.slabs != 0 && i < figures.slabs_by_fullness.size(); ++i) {
      WriteClassSample(kSlabs, c, "in_use", kFullnessNames[i], figures.slabs_by_fullness[i], sink);
    }
  }
}

}  // namespace

void WritePrometheus(const Snapshot& snapshot, const Sink& sink) {
  WriteHead("info", "", "gauge", "the allocator in use", sink);
  Text text;
  sink.Take(text.Add("cma_info{version=\"").AddEscaped(cma_version()).Add("\"} 1\n"));
  for (const Figure& figure : kFigures) WriteFigure(figure, snapshot.totals().*figure.field, sink);
  if (snapshot.details() == nullptr) return;
  WriteArenas(*snapshot.details(), sink);
  WriteHeaps(*snapshot.details(), sink);
  WriteClasses(*snapshot.details(), sink);
}

}  // namespace cma
