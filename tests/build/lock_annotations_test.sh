#!/usr/bin/env bash
# clang's thread safety analysis bites: with cma's own lock, code that touches a guarded member
# without the lock does not compile. Without this test a typing error in the annotations or the
# flags would turn every check of the preset thread-safety off in silence.
set -euo pipefail
root=${CMA_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
command -v clang++ >/dev/null || { echo "lock_annotations_test: no clang++"; exit 77; }

# compile BODY: the member function's body, checked as the preset does.
compile() {
  clang++ -std=c++20 -I"$root/src" -fsyntax-only -Wthread-safety -Werror -x c++ - 2>&1 <<EOF
#include "absl/base/thread_annotations.h"
#include "sync/lock.h"
class Counter {
 public:
  int Next() { $1 return ++count_; }
 private:
  cma::Lock lock_{cma::LockRank::kMetadata};
  int count_ ABSL_GUARDED_BY(lock_) = 0;
};
int main() { return Counter().Next(); }
EOF
}

if ! output=$(compile 'cma::LockGuard guard(lock_);'); then
  echo "lock_annotations_test: correct code was refused: $output"
  exit 1
fi
if output=$(compile ''); then
  echo "lock_annotations_test: an access without the lock compiled"
  exit 1
fi
if ! grep -q 'Wthread-safety-analysis' <<<"$output"; then
  echo "lock_annotations_test: refused for another reason: $output"
  exit 1
fi
if ! grep -q -- '-Wthread-safety -Werror' "$root/cmake/library_flags.cmake"; then
  echo "lock_annotations_test: the build no longer asks for -Wthread-safety -Werror"
  exit 1
fi
echo "lock_annotations_test: an access without its lock does not compile"
