/* A GPU that the CPU plays, so that the very sources of cuda/ run in tests on machines without one.
 *
 * Device memory is one region that host code cannot touch: it is unprotected only while emulated work runs, and a host access ends the program. Every
 * allocation lies between red zones, which are looked at after every piece of work; the first 4 MiB of fresh memory are NaNs. Work on a stream is kept until somebody
 * synchronises, so that a missing synchronisation shows. Blocks run one after another and the threads of a block as fibers, both in an order that
 * changes from launch to launch, so that a missing barrier shows where results are compared. A mistake prints what and where, and aborts. */
#ifndef DCPS_TESTS_SUPPORT_CUDA_EMULATION_H
#define DCPS_TESTS_SUPPORT_CUDA_EMULATION_H

#include <cstddef>
#include <cstdint>
#include <functional>

struct CUstream_st;

namespace emulation
{
using work = std::function<void()>;

/* Prints and aborts: a mistake of the code under test. */
[[noreturn]] void fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* memory.cpp */
/* Whether all of [memory, memory + bytes) belongs to one device allocation. */
bool is_device(const void *memory, size_t bytes);
bool is_pinned(const void *memory, size_t bytes);
/* Aborts unless `memory` is NULL or in device memory. */
void expect_device(const void *memory, size_t bytes, const char *who, const char *what);
void expect_host(const void *memory, size_t bytes, const char *who, const char *what);
/* Aborts when a red zone was written to; `who` ran last. */
void check_red_zones(const char *who);
/* Between these, device memory can be accessed. They nest. */
void device_enter();
void device_leave();

/* stream.cpp */
/* Puts work at the end of a stream, or into the graph that the stream captures. NULL: the default stream. */
void enqueue(CUstream_st *stream, const char *name, work run);
bool is_capturing(const CUstream_st *stream);
/* Runs all that has been enqueued so far. */
void drain(CUstream_st *stream);
void drain_all();

/* launch.cpp */
struct index3 {
    unsigned x, y, z;
};
/* Runs `thread` for every thread of every block. */
void run_grid(const char *name, index3 grid, index3 block, size_t shared_bytes, const work &thread);
void sync_threads();
/* Deposits `value` and, once every lane of `mask` has, reads that of `lane` (of the own warp). */
uint64_t exchange(unsigned mask, uint64_t value, unsigned lane);
/* The block's dynamic shared memory. */
void *dynamic_shared();
} // namespace emulation

#endif
