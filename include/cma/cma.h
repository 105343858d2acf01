/* cma: a general-purpose, multithreaded memory allocator for Linux.
 *
 * The prefixed C interface. Preloading or linking libcma.so, or linking
 * libcma.a, also replaces the C library's malloc family and the C++ operators;
 * both names reach the same heap, so a block from cma_malloc() may be given to
 * free() and the other way round.
 *
 * All functions are safe to call from any thread. Sizes are in bytes. Every
 * block is aligned to 16 bytes at least. A block belongs to the caller until it
 * is freed, by any thread. Unless said otherwise a failing function returns
 * NULL with errno set to ENOMEM, and the heap is as it was before the call.
 */
#ifndef CMA_CMA_H_
#define CMA_CMA_H_

#include <stddef.h>
#include <stdint.h>

#if defined(__cplusplus)
extern "C" {
#define CMA_NOEXCEPT noexcept
#else
#define CMA_NOEXCEPT
#endif

#if defined(__GNUC__)
#define CMA_API __attribute__((visibility("default")))
#else
#define CMA_API
#endif

/* A block of at least `size` bytes. Size 0 gives a unique block that can be
 * freed. Sizes above PTRDIFF_MAX fail. Source: C17 7.22.3.4, malloc(3). */
CMA_API void* cma_malloc(size_t size) CMA_NOEXCEPT;

/* `count` times `size` zero bytes; an overflowing product fails. Pages that are
 * fresh from the operating system are not touched. Source: C17 7.22.3.2. */
CMA_API void* cma_calloc(size_t count, size_t size) CMA_NOEXCEPT;

/* Makes the block `size` bytes long, in place where it can, and returns where
 * it is now; the contents up to the smaller size stay. NULL grows like
 * cma_malloc(size). Size 0 with a block frees it and returns NULL, as glibc
 * does. On failure the old block is untouched; one that becomes shorter never fails.
 * Source: realloc(3). */
CMA_API void* cma_realloc(void* block, size_t size) CMA_NOEXCEPT;

/* cma_realloc(block, count * size); an overflowing product fails with ENOMEM.
 * Source: reallocarray(3). */
CMA_API void* cma_reallocarray(void* block, size_t count, size_t size) CMA_NOEXCEPT;

/* Gives a block back; NULL is ignored and errno is kept. A pointer that cma
 * did not give out, or one that is free already, is reported on stderr and the
 * process is aborted. Source: free(3), POSIX.1-2024. */
CMA_API void cma_free(void* block) CMA_NOEXCEPT;

/* cma_free() for a caller that knows the size it asked for.
 * Source: C23 7.24.3.4 and 7.24.3.5. */
CMA_API void cma_free_sized(void* block, size_t size) CMA_NOEXCEPT;
CMA_API void cma_free_aligned_sized(void* block, size_t alignment, size_t size) CMA_NOEXCEPT;

/* A block whose address is a multiple of `alignment`, a power of two; any other
 * alignment fails with errno EINVAL. memalign rounds it up to a power of two
 * instead, as glibc does. Source: C17 7.22.3.1, memalign(3). */
CMA_API void* cma_aligned_alloc(size_t alignment, size_t size) CMA_NOEXCEPT;
CMA_API void* cma_memalign(size_t alignment, size_t size) CMA_NOEXCEPT;

/* Stores a block in *result and returns 0; EINVAL if `alignment` is not a power
 * of two multiple of sizeof(void*), ENOMEM if there is no memory. errno and, on
 * failure, *result are kept. Source: posix_memalign(3). */
CMA_API int cma_posix_memalign(void** result, size_t alignment, size_t size) CMA_NOEXCEPT;

/* A block aligned to the page size; pvalloc also rounds the size up to whole
 * pages. Source: valloc(3). */
CMA_API void* cma_valloc(size_t size) CMA_NOEXCEPT;
CMA_API void* cma_pvalloc(size_t size) CMA_NOEXCEPT;

/* A block like cma_aligned_alloc()'s of `count` times `size` zero bytes, and like
 * cma_calloc()'s: an overflowing product fails with ENOMEM. */
CMA_API void* cma_aligned_calloc(size_t alignment, size_t count, size_t size) CMA_NOEXCEPT;

/* cma_realloc() to an address that is a multiple of `alignment`, a power of two; any other
 * alignment fails with errno EINVAL. Whatever the block's alignment was before. */
CMA_API void* cma_aligned_realloc(void* block, size_t alignment, size_t size) CMA_NOEXCEPT;

/* A block and the bytes that the caller may use in it: for buffers that grow into
 * what they have. Comes back in two registers. */
typedef struct cma_sized_block {
  void* block;
  size_t bytes;
} cma_sized_block;

/* cma_malloc(size) with the size that it really has, cma_good_size(size) or more:
 * `bytes` may be used, and is at least `size`. {NULL, 0} on failure. */
CMA_API cma_sized_block cma_malloc_sized(size_t size) CMA_NOEXCEPT;

/* Makes the block at least `size` bytes long without moving it: grows it into free
 * memory behind it, or gives back what it no longer needs. Returns its usable bytes,
 * or 0 if it cannot be that long where it is; then it is as before. Never fails to
 * shrink, but small blocks (16 KiB and less) stay as long as they are, and larger ones
 * keep 16 KiB (those that began above 1 MiB: 1 MiB) or so. Contents up to the smaller size stay. 0
 * for NULL. errno is kept. The caller holds the block, as for cma_realloc(). */
CMA_API size_t cma_try_resize(void* block, size_t size) CMA_NOEXCEPT;

/* The bytes the caller may use in the block, at least what was asked for; 0 for
 * NULL. Source: malloc_usable_size(3). */
CMA_API size_t cma_malloc_usable_size(const void* block) CMA_NOEXCEPT;

/* The least usable size a block of `size` bytes would have; 0 if it is too
 * large. */
CMA_API size_t cma_good_size(size_t size) CMA_NOEXCEPT;

/* Returns free memory to the operating system now: the calling thread's cache,
 * the arenas and the central heap. `pad` (bytes to keep) is accepted and not
 * used. 1 if any memory was returned, else 0. Source: malloc_trim(3). */
CMA_API int cma_malloc_trim(size_t pad) CMA_NOEXCEPT;

/* cma_malloc_trim() that says how many bytes went back to the operating system in the
 * meantime, by this call or by other threads; 0 if there were none. Takes every
 * arena's lock in turn; the time grows with the heap. */
CMA_API size_t cma_release(void) CMA_NOEXCEPT;

/* The calling thread is about to sleep for long: what is free in its cache goes back to
 * the arenas, where other threads can have it and the operating system gets it in the
 * end, and the cache itself with it. The thread's next allocation or free makes it
 * again, which costs a few microseconds. Keeps errno. */
CMA_API void cma_thread_idle(void) CMA_NOEXCEPT;

/* Where the heap's memory is, in bytes. Two sums hold in every answer, exactly:
 *
 *   mapped_bytes = live_bytes + thread_cached_bytes + slab_free_bytes +
 *                  free_run_bytes + free_superblock_bytes + metadata_bytes
 *   rss_bytes + absent_bytes = resident_most_bytes + other_bytes
 *
 * While no other thread is at work each figure is exact as well. Else each is
 * true for some moment during the call; what threads take out of their caches
 * or free into them meanwhile may count as live or as cached. No figure is ever
 * negative. In the second sum rss_bytes is the kernel's: what cma holds at most
 * in memory (resident_most_bytes) explains it, except for other_bytes (code,
 * stacks, what the program maps itself: at least so much); and absent_bytes of
 * what cma holds are not in memory (never written to, or swapped out: at least
 * so much). Where the kernel does not tell rss_bytes, for want of /proc, these
 * three are 0. */
typedef struct cma_stats {
  size_t mapped_bytes;         /* address space held for blocks and metadata */
  size_t live_bytes;           /* usable bytes of blocks the program holds */
  size_t thread_cached_bytes;  /* free, in thread caches, inboxes, quarantine */
  size_t slab_free_bytes;      /* free blocks and tails in slabs */
  size_t free_run_bytes;       /* free runs in superblocks that are in use */
  size_t free_superblock_bytes;/* whole free superblocks and huge mappings */
  size_t metadata_bytes;       /* cma's own tables */
  size_t dirty_bytes;          /* free, but still backed by memory */
  size_t returned_bytes;       /* given back to the OS since start, cumulative */
  size_t huge_bytes;           /* part of live_bytes that is mapped alone */
  size_t huge_blocks;          /* number of such blocks */
  size_t arenas;               /* arenas in use */
  size_t threads;              /* threads with a cache */
  size_t committed_bytes;      /* what soft_limit and hard_limit are about */
  size_t resident_most_bytes;  /* mapped, and not known to hold no memory */
  size_t rss_bytes;            /* of the process; 0 if the kernel does not tell */
  size_t other_bytes;          /* RSS that is not cma's, at least; and parts of huge pages */
  size_t absent_bytes;         /* of resident_most_bytes, not in RSS, at least */
  size_t heaps;                /* heaps made with cma_heap_create() */
  size_t reserved[13];         /* 0; later versions put new figures here */
} cma_stats;

/* Fills *stats. Takes every arena's lock in turn; never allocates. The struct keeps
 * its size and the places of its fields in all versions with the same major number:
 * a program and the library that it runs with need not be of the same version. The
 * same is true of cma_heap_stats. */
CMA_API void cma_get_stats(cma_stats* stats) CMA_NOEXCEPT;

/* Forms of the statistics as text. JSON: one object, whose member "schema" is 1
 * as long as members are only added. Prometheus: its text format 0.0.4. Both
 * also tell of arenas and size classes, as they are at the same moment as the
 * totals: the arenas' bytes, huge blocks, free superblocks and metadata add up
 * to mapped_bytes. */
typedef enum cma_stats_format {
  CMA_STATS_TEXT = 1,
  CMA_STATS_JSON = 2,
  CMA_STATS_PROMETHEUS = 3
} cma_stats_format;

/* Gets `bytes` characters of text, without a null at the end, and the context
 * that came with it. */
typedef void (*cma_write_function)(void* context, const char* text, size_t bytes);

/* Writes the statistics, in pieces of at most 1 KiB, by calling `write`. All
 * figures are collected first, and no lock is held during the calls: `write`
 * may allocate. cma itself allocates nothing for it, and uses 4 KiB of stack and
 * a mapping that is gone afterwards; where the OS refuses that, arenas and
 * classes are left out. Returns 0, or -1 with errno EINVAL for an unknown
 * format. */
CMA_API int cma_stats_write(cma_stats_format format, cma_write_function write, void* context)
    CMA_NOEXCEPT;

/* The same to a file descriptor; -1 also if that takes no more, with the errno of write(2). */
CMA_API int cma_stats_dump(int fd, cma_stats_format format) CMA_NOEXCEPT;

/* cma_stats_dump(fd, CMA_STATS_TEXT). */
CMA_API void cma_stats_print(int fd) CMA_NOEXCEPT;

/* Changes an option of the running process; `name` and `value` are what
 * CMA_OPTIONS would hold, suffixes and percentages included. What exists by
 * then is not undone: a smaller cache budget lets lists grow no further, a
 * lower hard limit refuses what comes next. Returns 0, or -1 with errno set to
 * ENOENT: no option has this name; EPERM: it can only be set at the start, in
 * CMA_OPTIONS; EINVAL: the value is malformed or out of range. */
CMA_API int cma_option_set(const char* name, const char* value) CMA_NOEXCEPT;

/* Writes the value that an option has now, as cma_option_set() takes it, and a
 * null character into `value`, which is `size` bytes long (32 are always
 * enough). Returns 0, or -1 with errno set to ENOENT: no option has this name;
 * ERANGE: the text does not fit, and nothing was written. */
CMA_API int cma_option_get(const char* name, char* value, size_t size) CMA_NOEXCEPT;

/* Heaps
 *
 * A heap is a part of the program's memory that can be limited, counted and given back
 * on its own: one for each subsystem, tenant or request. Its blocks are like all others:
 * any thread allocates from it, and any thread frees them with cma_free() or free().
 * cma_realloc() leaves a block in its heap.
 *
 * All heaps share the rest of cma, but no two of them a page of blocks. Each call takes
 * the heap's lock: for blocks that many threads take and free all the time, plain
 * cma_malloc() is faster. Up to 4,096 heaps at a time.
 *
 * A handle is good from cma_heap_create() until cma_heap_destroy(). Using one that was
 * destroyed is reported on stderr and the process is aborted, as long as its place was
 * not taken by a new heap. */
typedef struct cma_heap cma_heap;

/* A heap. `name` is for people and statistics: it is copied, up to 63 bytes, and may be
 * NULL; what is printed has '?' for each byte that is no UTF-8. `limit_bytes`: the usable
 * bytes of all its blocks together are never more; 0 for no limit. NULL with errno ENOMEM
 * if there is no memory or there are 4,096. */
CMA_API cma_heap* cma_heap_create(const char* name, size_t limit_bytes) CMA_NOEXCEPT;

/* Ends the heap. All of its blocks are gone, freed or not, and their memory can be used
 * by others at once; the operating system gets it back after release_delay_ms or by
 * cma_release(). No other thread may be using the heap, or be freeing a block of it, and
 * no block of it may be used or freed afterwards; a free is reported like that of any
 * wrong pointer, until the memory is in use again. NULL is ignored. The time grows with
 * the memory of the heap (by about 10 us for each 4 MiB). */
CMA_API void cma_heap_destroy(cma_heap* heap) CMA_NOEXCEPT;

/* cma_malloc(), cma_calloc() and cma_aligned_alloc() from the heap. They also fail, with
 * errno ENOMEM, if the block would take the heap over its limit; what is freed counts no
 * more from the moment that the free returns. */
CMA_API void* cma_heap_malloc(cma_heap* heap, size_t size) CMA_NOEXCEPT;
CMA_API void* cma_heap_calloc(cma_heap* heap, size_t count, size_t size) CMA_NOEXCEPT;
CMA_API void* cma_heap_aligned_alloc(cma_heap* heap, size_t alignment, size_t size) CMA_NOEXCEPT;

/* cma_realloc(), after which the block is in `heap`: one of another heap, or of none, is
 * moved there. A block that has to move counts twice while it does; one of the heap that is to
 * become shorter stays where the limit leaves no room for that. */
CMA_API void* cma_heap_realloc(cma_heap* heap, void* block, size_t size) CMA_NOEXCEPT;

/* The heap that a live block is in; NULL for a block of none, and for NULL. */
CMA_API cma_heap* cma_heap_of(const void* block) CMA_NOEXCEPT;

typedef struct cma_heap_stats {
  const char* name;     /* good until the heap is destroyed; "" if it has none */
  size_t limit_bytes;   /* 0: no limit */
  size_t live_bytes;    /* usable bytes of its blocks; never above the limit */
  size_t peak_bytes;    /* the most that live_bytes was */
  size_t huge_bytes;    /* part of live_bytes that is mapped alone */
  size_t mapped_bytes;  /* address space: 4 MiB at a time, and huge_bytes */
  size_t refusals;      /* calls that the limit has refused */
  size_t reserved[9];   /* 0; see cma_get_stats() */
} cma_heap_stats;

/* Fills *stats; each field is true for some moment during the call. Takes the heap's
 * lock; never allocates. */
CMA_API void cma_heap_get_stats(cma_heap* heap, cma_heap_stats* stats) CMA_NOEXCEPT;

/* "MAJOR.MINOR.PATCH" of the library, for proof that it is in use. */
CMA_API const char* cma_version(void) CMA_NOEXCEPT;

#if defined(__cplusplus)
}
#endif
#endif /* CMA_CMA_H_ */
