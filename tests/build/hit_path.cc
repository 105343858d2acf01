// hit_path KIND BYTES PAIRS: allocates and frees a block so often, after some rounds that fill the
// thread's list. hit_path_test.sh counts the instructions of that.
#include <cstdlib>
#include <cstring>
#include <new>

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const bool is_sized_delete = std::strcmp(argv[1], "sized-delete") == 0;
  const auto bytes = static_cast<std::size_t>(std::atol(argv[2]));
  const long pairs = std::atol(argv[3]) + 100;
  for (long i = 0; i < pairs; ++i) {
    if (is_sized_delete) {
      ::operator delete(::operator new(bytes), bytes);
    } else {
      std::free(std::malloc(bytes));
    }
  }
}
