// How a function is named so that valgrind calls it in the place of another.
//
// Valgrind looks for such names in the symbol tables of everything that is loaded ("Za" is its
// spelling of "*": in any object) and sends calls of what the rest names here. Nothing calls these
// functions outside of it. Source: the valgrind manual, "Function wrapping".
//
// They are defined in headers, each included by the one file that has the functions they stand for:
// what links those has these.
#ifndef CMA_FRONT_UNDER_VALGRIND_H_
#define CMA_FRONT_UNDER_VALGRIND_H_

#if __has_attribute(retain)
#define CMA_KEPT __attribute__((used, retain, visibility("default")))
#else
#define CMA_KEPT __attribute__((used, visibility("default")))
#endif

// Declares and begins the definition of what valgrind calls for `name`.
#define CMA_UNDER_VALGRIND(result, name, ...)                  \
  CMA_KEPT result _vgr00000ZU_Za_##name(__VA_ARGS__) noexcept; \
  result _vgr00000ZU_Za_##name(__VA_ARGS__) noexcept

#endif  // CMA_FRONT_UNDER_VALGRIND_H_
