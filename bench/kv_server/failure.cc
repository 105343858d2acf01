#include "failure.h"

#include <cstdio>
#include <cstdlib>

namespace kv {

void FailWithErrno(const char* what) {
  std::perror(what);
  std::exit(1);
}

}  // namespace kv
