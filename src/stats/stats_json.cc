#include "options/option_value.h"
#include "stats/figures.h"
#include "stats/formats.h"

namespace cma {
namespace {

Text& AddMember(Text& text, const char* name, size_t value) {
  return text.Add("\"").Add(name).Add("\": ").AddNumber(value);
}

// Puts a comma between the elements of an array or object.
class Separator {
 public:
  const char* Next() {
    const char* text = first_ ? "\n" : ",\n";
    first_ = false;
    return text;
  }

 private:
  bool first_ = true;
};

void WriteTotals(const cma_stats& stats, const Sink& sink) {
  Text text;
  text.Add("{\n\"schema\": 1,\n\"version\": \"").AddEscaped(cma_version()).Add("\"");
  sink.Take(text);
  for (const Figure& figure : kFigures) {
    AddMember(text.Add(",\n"), figure.name, stats.*figure.field);
    sink.Take(text);
  }
}

void WriteOptions(const Sink& sink) {
  Text text;
  Separator separator;
  text.Add(",\n\"options\": {");
  for (const OptionInfo& option : kOptions) {
    text.Add(separator.Next()).Add("  \"").Add(option.name).Add("\": \"");
    AddValue(text, option, g_options.*option.field);
    sink.Take(text.Add("\""));
  }
  sink.Take(text.Add("}"));
}

void WriteArena(const ArenaFigures& arena, Text& text) {
  AddMember(text.Add("  {"), "arena", arena.number);
  AddMember(text.Add(", "), "mapped_bytes", arena.mapped);
  AddMember(text.Add(", "), "lent_bytes", arena.lent);
  AddMember(text.Add(", "), "slab_free_bytes", arena.slab_free);
  AddMember(text.Add(", "), "free_run_bytes", arena.free_run);
  AddMember(text.Add(", "), "dirty_bytes", arena.dirty).Add("}");
}

void WriteHeap(const HeapFigures& heap, Text& text) {
  text.Add("  {\"name\": \"").AddEscaped(heap.name).Add("\"");
  AddMember(text.Add(", "), "arena", heap.arena);
  AddMember(text.Add(", "), "live_bytes", heap.bytes.live);
  AddMember(text.Add(", "), "peak_bytes", heap.bytes.peak);
  AddMember(text.Add(", "), "huge_bytes", heap.bytes.huge);
  AddMember(text.Add(", "), "mapped_bytes", heap.bytes.mapped);
  AddMember(text.Add(", "), "limit_bytes", heap.limit);
  AddMember(text.Add(", "), "refusals", heap.refusals).Add("}");
}

void WriteClass(SizeClass c, const ClassFigures& figures, Text& text) {
  AddMember(text.Add("  {"), "block_bytes", ClassBytes(c));
  AddMember(text.Add(", "), "live_blocks", figures.live);
  AddMember(text.Add(", "), "cached_blocks", figures.cached);
  AddMember(text.Add(", "), "depot_blocks", figures.depot);
  AddMember(text.Add(", "), "free_blocks", figures.free);
  AddMember(text.Add(", "), "mixed_slab_blocks", figures.in_mixed);
  AddMember(text.Add(", "), "slabs", figures.slabs).Add(", \"slabs_by_fullness\": [");
  for (size_t i = 0; i < figures.slabs_by_fullness.size(); ++i) {
    text.Add(i == 0 ? "" : ", ").AddNumber(figures.slabs_by_fullness[i]);
  }
  text.Add("]}");
}

void WriteDetails(const Details& details, const Sink& sink) {
  Text text;
  Separator arenas;
  AddMember(text.Add(",\n"), "large_blocks", details.large_blocks);
  AddMember(text.Add(",\n"), "large_bytes", details.large_bytes);
  AddMember(text.Add(",\n"), "large_cached_bytes", details.large_cached_bytes);
  AddMember(text.Add(",\n"), "moving_bytes", details.moving_bytes);
  text.Add(",\n\"arena_list\": [");
  for (size_t i = 0; i < details.arena_count; ++i) {
    WriteArena(details.arenas[i], text.Add(arenas.Next()));
    sink.Take(text);
  }
  Separator heaps;
  text.Add("],\n\"heap_list\": [");
  for (size_t i = 0; i < details.heap_count; ++i) {
    WriteHeap(details.heaps[i], text.Add(heaps.Next()));
    sink.Take(text);
  }
  Separator classes;
  text.Add("],\n\"classes\": [");
  for (SizeClass c = 1; c < kSizeClasses; ++c) {
    if (details.classes[c].IsEmpty()) continue;
    WriteClass(c, details.classes[c], text.Add(classes.Next()));
    sink.Take(text);
  }
  sink.Take(text.Add("]"));
}

}  // namespace

void WriteJson(const Snapshot& snapshot, const Sink& sink) {
  WriteTotals(snapshot.totals(), sink);
  WriteOptions(sink);
  if (snapshot.details() != nullptr) WriteDetails(*snapshot.details(), sink);
  Text text;
  sink.Take(text.Add("\n}\n"));
}

}  // namespace cma
