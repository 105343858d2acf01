#include <memory>
#include <string>
#include <vector>

#include "proof.h"

int main() {
  ProveMalloc(1);
  const size_t before = LiveBytes();
  const std::vector<std::string> texts(1000, std::string(1000, 'x'));
  return LiveBytes() - before >= 1'000'000 ? 0 : 1;
}
