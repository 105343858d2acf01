#include <cstdint>
#include <new>

namespace {
int handled = 0;
void Handle() {
  ++handled;
  std::set_new_handler(nullptr);
}
}  // namespace

// How often the handler was called before std::bad_alloc came; -1 if that did not come.
extern "C" int AskForTooMuch() {
  handled = 0;
  std::set_new_handler(Handle);
  volatile std::size_t too_much = PTRDIFF_MAX;
  try {
    ::operator delete(::operator new(too_much));
  } catch (const std::bad_alloc&) {
    return handled;
  }
  return -1;
}
