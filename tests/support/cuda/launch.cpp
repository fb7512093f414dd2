/* Blocks one after another, the threads of a block as fibers. A fiber runs thread after thread until one has to wait, so that kernels without barriers
 * cost no switch. */
#include <csetjmp>
#include <cstdlib>
#include <memory>
#include <ucontext.h>
#include <vector>

#include "support/cuda/cuda_runtime.h"
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

emulation::index3 threadIdx, blockIdx, blockDim, gridDim;

namespace
{
constexpr size_t stack_bytes = size_t{64} << 10, shared_max_bytes = size_t{48} << 10;
constexpr unsigned warp_lanes = 32;

struct barrier {
    unsigned arrived = 0;
    uint64_t generation = 0;
};

struct warp {
    barrier gate;
    unsigned mask = 0, present = 0; /* lanes of the exchange under way, and lanes there */
    uint64_t slots[2][warp_lanes];
};

struct fiber {
    ucontext_t beginning; /* leads into fiber_main */
    jmp_buf place;        /* where it waits; jumps change no signal mask, which would be a system call */
    bool begun = false;
    std::unique_ptr<uint8_t[]> stack{new uint8_t[stack_bytes]};
    void *fake_stack = nullptr;
    unsigned thread = 0;
    const barrier *waits_at = nullptr; /* NULL: idle */
    uint64_t generation = 0;           /* of the barrier when it began to wait */
};

/* The block that runs. */
struct {
    const char *name;
    const emulation::work *thread;
    unsigned threads, started, exited;
    bool backward; /* threads start with the last */
    barrier all;
    std::vector<warp> warps;
} block;

std::vector<std::unique_ptr<fiber>> fibers;
fiber *running;
jmp_buf scheduler;
void *scheduler_fake_stack;
const void *scheduler_stack;
size_t scheduler_stack_bytes;
alignas(64) uint8_t shared[shared_max_bytes];

void switch_begin([[maybe_unused]] void **save, [[maybe_unused]] const void *stack, [[maybe_unused]] size_t bytes)
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(save, stack, bytes);
#endif
}

void switch_end([[maybe_unused]] void *save, [[maybe_unused]] const void **stack, [[maybe_unused]] size_t *bytes)
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(save, stack, bytes);
#endif
}

void to_scheduler()
{
    fiber *self = running;
    switch_begin(&self->fake_stack, scheduler_stack, scheduler_stack_bytes);
    if (_setjmp(self->place) == 0) {
        _longjmp(scheduler, 1);
    }
    switch_end(self->fake_stack, &scheduler_stack, &scheduler_stack_bytes);
}

void thread_choose(unsigned thread)
{
    running->thread = thread;
    threadIdx = {thread % blockDim.x, thread / blockDim.x % blockDim.y, thread / (blockDim.x * blockDim.y)};
}

void to_fiber(fiber *next)
{
    running = next;
    next->waits_at = nullptr;
    thread_choose(next->thread);
    switch_begin(&scheduler_fake_stack, next->stack.get(), stack_bytes);
    if (_setjmp(scheduler) == 0) {
        if (next->begun) {
            _longjmp(next->place, 1);
        }
        next->begun = true;
        setcontext(&next->beginning);
    }
    switch_end(scheduler_fake_stack, nullptr, nullptr);
}

/* Lets everybody pass when all threads that are left have come. */
void barrier_open(barrier *at, unsigned expected)
{
    if (at->arrived == 0 || at->arrived < expected) {
        return;
    }
    at->arrived = 0;
    at->generation++;
}

void barrier_wait(barrier *at, unsigned expected)
{
    running->waits_at = at;
    running->generation = at->generation;
    at->arrived++;
    barrier_open(at, expected);
    if (at->generation == running->generation) {
        to_scheduler();
    }
    running->waits_at = nullptr;
}

/* The life of a fiber: threads of this block, then those of the next one that it is given. */
void fiber_main()
{
    switch_end(nullptr, &scheduler_stack, &scheduler_stack_bytes);
    for (;;) {
        while (block.started < block.threads) {
            unsigned thread = block.started++;
            thread_choose(block.backward ? block.threads - 1 - thread : thread);
            (*block.thread)();
            block.exited++;
            block.warps[running->thread / warp_lanes].present &= ~(1u << running->thread % warp_lanes);
            barrier_open(&block.all, block.threads - block.exited);
        }
        running->waits_at = nullptr;
        to_scheduler();
    }
}

/* Not idle: in the midst of a thread. */
bool is_waiting(const fiber &of)
{
    return of.waits_at != nullptr;
}

fiber *idle_fiber()
{
    for (auto &each : fibers) {
        if (!is_waiting(*each)) {
            return each.get();
        }
    }
    fibers.push_back(std::make_unique<fiber>());
    fiber *made = fibers.back().get();
    getcontext(&made->beginning);
    made->beginning.uc_stack.ss_sp = made->stack.get();
    made->beginning.uc_stack.ss_size = stack_bytes;
    makecontext(&made->beginning, fiber_main, 0);
    return made;
}

void run_block(bool backward)
{
    block.started = block.exited = 0;
    block.backward = backward;
    block.all = {};
    block.warps.assign((block.threads + warp_lanes - 1) / warp_lanes, warp());
    for (unsigned i = 0; i < block.threads; i++) {
        block.warps[i / warp_lanes].present |= 1u << i % warp_lanes;
    }
    memset(shared, 0xFF, sizeof(shared));
    while (block.started < block.threads) {
        to_fiber(idle_fiber());
    }
    while (block.exited < block.threads) {
        bool moved = false;
        for (size_t i = 0; i < fibers.size(); i++) {
            fiber *each = fibers[backward ? fibers.size() - 1 - i : i].get();
            if (!is_waiting(*each) || each->waits_at->generation == each->generation) {
                continue;
            }
            to_fiber(each);
            moved = true;
        }
        if (!moved) {
            emulation::fatal("%s: %u of %u threads of block %u have ended and the others wait for each other in vain",
                             block.name, block.exited, block.threads, blockIdx.x);
        }
    }
}

/* Directions change from launch to launch, the same in every run of a program. */
bool coin()
{
    static uint64_t state = 1;
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return state >> 63 != 0;
}
} // namespace

namespace emulation
{
void run_grid(const char *name, index3 grid, index3 threads, size_t shared_bytes, const work &thread)
{
    if (shared_bytes > shared_max_bytes) {
        fatal("%s: %zu bytes of shared memory", name, shared_bytes);
    }
    gridDim = grid;
    blockDim = threads;
    block.name = name;
    block.thread = &thread;
    block.threads = threads.x * threads.y * threads.z;
    bool blocks_backward = coin(), threads_backward = coin();
    unsigned count = grid.x * grid.y * grid.z;
    for (unsigned i = 0; i < count; i++) {
        unsigned at = blocks_backward ? count - 1 - i : i;
        blockIdx = {at % grid.x, at / grid.x % grid.y, at / (grid.x * grid.y)};
        run_block(threads_backward);
    }
}

void sync_threads()
{
    barrier_wait(&block.all, block.threads - block.exited);
}

uint64_t exchange(unsigned mask, uint64_t value, unsigned lane)
{
    warp *own = &block.warps[running->thread / warp_lanes];
    unsigned self = running->thread % warp_lanes;
    if ((mask & own->present) != mask || (mask >> self & 1u) == 0 || (mask >> lane & 1u) == 0) {
        fatal("%s: lane %u exchanges with lane %u under mask %08x: some lane of it is not there", block.name, self,
              lane, mask);
    }
    if (own->gate.arrived > 0 && own->mask != mask) {
        fatal("%s: lanes of one warp exchange under masks %08x and %08x", block.name, own->mask, mask);
    }
    own->mask = mask;
    uint64_t *slots = own->slots[own->gate.generation % 2];
    slots[self] = value;
    barrier_wait(&own->gate, static_cast<unsigned>(__builtin_popcount(mask)));
    return slots[lane];
}

void *dynamic_shared()
{
    return shared;
}
} // namespace emulation
