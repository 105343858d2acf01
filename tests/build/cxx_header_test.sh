#!/usr/bin/env bash
# <cma/cma.hpp> compiles without a warning as C++17 and later, with and without exceptions and
# RTTI; and a program that uses it links to libcma.so and runs.
set -euo pipefail
root=${CMA_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
library=${CMA_LIB:-$root/build/release/libcma.so}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cat >"$scratch/user.cc" <<'SOURCE'
#include <cma/cma.hpp>

#include <string>
#include <vector>

template class cma::allocator<std::string>;

int main() {
  cma::heap heap("user", 1 << 20);
  std::vector<int, cma::allocator<int>> numbers(1000, 7, heap);
  cma::memory_resource resource(heap);
  std::pmr::vector<std::pmr::string> words(10, "a word that has to be allocated", &resource);
  const bool used = heap.stats().live_bytes >= 4000 && words.size() == 10;
  return used && heap.try_allocate(2 << 20) == nullptr ? 0 : 1;
}
SOURCE

tried=0
for compiler in g++ clang++; do
  command -v "$compiler" >/dev/null || continue
  for standard in c++17 c++20 c++2b; do
    for flags in '' '-fno-exceptions' '-fno-exceptions -fno-rtti'; do
      "$compiler" -std=$standard $flags -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror \
        -I "$root/include" "$scratch/user.cc" -o "$scratch/user" "$library" \
        -Wl,-rpath,"$(dirname "$library")"
      "$scratch/user" || { echo "$compiler -std=$standard $flags: the program fails" >&2; exit 1; }
      tried=$((tried + 1))
    done
  done
done
[[ $tried -gt 0 ]] || { echo "skipped: there is no g++ or clang++" >&2; exit 77; }
echo "cxx_header_test: $tried programs"
