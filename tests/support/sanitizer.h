// Which sanitizer the test is built with.
#ifndef CMA_TESTS_SUPPORT_SANITIZER_H_
#define CMA_TESTS_SUPPORT_SANITIZER_H_

namespace cma_test {

#if defined(__has_feature)  // clang
#define CMA_TEST_HAS_FEATURE(name) __has_feature(name)
#else
#define CMA_TEST_HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || CMA_TEST_HAS_FEATURE(address_sanitizer)
inline constexpr bool kAddressSanitizer = true;
#else
inline constexpr bool kAddressSanitizer = false;
#endif

#if defined(__SANITIZE_THREAD__) || CMA_TEST_HAS_FEATURE(thread_sanitizer)
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif

// Their shadow memory is part of the resident set and of the address space.
inline constexpr bool kHasShadowMemory = kAddressSanitizer || kThreadSanitizer;

}  // namespace cma_test

#endif  // CMA_TESTS_SUPPORT_SANITIZER_H_
