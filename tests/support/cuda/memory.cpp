/* Device and pinned memory. */
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <sys/mman.h>

#include "support/cuda/cuda_runtime.h"
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, bytes) ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(memory, bytes) ((void)0)
#endif

namespace
{
constexpr size_t region_bytes = size_t{4} << 30, zone_bytes = 256;
constexpr uint8_t zone_value = 0xA5;
/* Of fresh memory, so much is made NaN; the rest stays untouched, so that what is large and little used costs no pages. */
constexpr size_t fresh_bytes = size_t{4} << 20;

std::recursive_mutex lock;
uint8_t *region;
size_t reached_bytes;               /* of the region, by any allocation so far */
std::map<size_t, size_t> allocated; /* offset → bytes, red zones not counted */
std::map<const void *, size_t> pinned;
int depth; /* of device_enter */

size_t round_up(size_t bytes)
{
    return (bytes + zone_bytes - 1) / zone_bytes * zone_bytes;
}

void region_make()
{
    if (region != nullptr) {
        return;
    }
    void *mapped = mmap(nullptr, region_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) {
        emulation::fatal("no address space for device memory");
    }
    region = static_cast<uint8_t *>(mapped);
}

void protect(int how)
{
    if (reached_bytes > 0 && mprotect(region, reached_bytes, how) != 0) {
        emulation::fatal("mprotect of device memory fails");
    }
}

/* Where `bytes` and their two red zones fit: the first gap. */
size_t place_for(size_t bytes)
{
    size_t at = zone_bytes;
    for (const auto &[offset, taken] : allocated) {
        if (at + round_up(bytes) + zone_bytes <= offset) {
            break;
        }
        at = offset + round_up(taken) + zone_bytes;
    }
    return at;
}

void zones_write(size_t at, size_t bytes)
{
    uint8_t *begin = region + at;
    size_t tail = round_up(bytes) - bytes + zone_bytes;
    ASAN_UNPOISON_MEMORY_REGION(begin - zone_bytes, zone_bytes + bytes + tail);
    memset(begin - zone_bytes, zone_value, zone_bytes);
    memset(begin + bytes, zone_value, tail);
    memset(begin, 0xFF, bytes < fresh_bytes ? bytes : fresh_bytes);
    ASAN_POISON_MEMORY_REGION(begin - zone_bytes, zone_bytes);
    ASAN_POISON_MEMORY_REGION(begin + bytes, tail);
}

/* Reads what is poisoned, on purpose. */
__attribute__((no_sanitize("address"))) bool is_intact(const uint8_t *zone, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (zone[i] != zone_value) {
            return false;
        }
    }
    return true;
}

bool is_in(const std::map<const void *, size_t> &ranges, const void *memory, size_t bytes)
{
    auto after = ranges.upper_bound(memory);
    if (after == ranges.begin()) {
        return false;
    }
    auto [begin, size] = *std::prev(after);
    size_t offset = static_cast<size_t>(static_cast<const uint8_t *>(memory) - static_cast<const uint8_t *>(begin));
    return offset + bytes <= size;
}

bool is_in_region(const void *memory)
{
    const uint8_t *at = static_cast<const uint8_t *>(memory);
    return region != nullptr && at >= region && at < region + region_bytes;
}
} // namespace

namespace emulation
{
void fatal(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("emulated GPU: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    abort();
}

bool is_device(const void *memory, size_t bytes)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    if (!is_in_region(memory)) {
        return false;
    }
    size_t at = static_cast<size_t>(static_cast<const uint8_t *>(memory) - region);
    auto after = allocated.upper_bound(at);
    return after != allocated.begin() && at + bytes <= std::prev(after)->first + std::prev(after)->second;
}

bool is_pinned(const void *memory, size_t bytes)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    return is_in(pinned, memory, bytes);
}

void expect_device(const void *memory, size_t bytes, const char *who, const char *what)
{
    if (memory != nullptr && !is_device(memory, bytes)) {
        fatal("%s: %s: %zu bytes at %p are not in device memory", who, what, bytes, memory);
    }
}

void expect_host(const void *memory, size_t bytes, const char *who, const char *what)
{
    if (is_in_region(memory)) {
        fatal("%s: %s: %zu bytes at %p are in device memory, not the host's", who, what, bytes, memory);
    }
}

void check_red_zones(const char *who)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    for (const auto &[offset, bytes] : allocated) {
        const uint8_t *begin = region + offset;
        if (!is_intact(begin - zone_bytes, zone_bytes)) {
            fatal("%s: wrote before an allocation of %zu bytes", who, bytes);
        }
        if (!is_intact(begin + bytes, round_up(bytes) - bytes + zone_bytes)) {
            fatal("%s: wrote behind an allocation of %zu bytes", who, bytes);
        }
    }
}

void device_enter()
{
    lock.lock();
    if (depth++ == 0) {
        protect(PROT_READ | PROT_WRITE);
    }
}

void device_leave()
{
    if (--depth == 0) {
        protect(PROT_NONE);
    }
    lock.unlock();
}
} // namespace emulation

cudaError_t cudaMalloc(void **memory, size_t bytes)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    region_make();
    size_t at = place_for(bytes), end = at + round_up(bytes) + zone_bytes;
    if (bytes > region_bytes || end > region_bytes) {
        return cudaErrorMemoryAllocation;
    }
    emulation::device_enter();
    if (end > reached_bytes) {
        reached_bytes = round_up(end + 4096) / 4096 * 4096;
        protect(PROT_READ | PROT_WRITE);
    }
    zones_write(at, bytes);
    allocated[at] = bytes;
    emulation::device_leave();
    *memory = region + at;
    return cudaSuccess;
}

cudaError_t cudaFree(void *memory)
{
    if (memory == nullptr) {
        return cudaSuccess;
    }
    emulation::drain_all();
    std::lock_guard<std::recursive_mutex> hold(lock);
    auto found = allocated.find(static_cast<size_t>(static_cast<uint8_t *>(memory) - region));
    if (!is_in_region(memory) || found == allocated.end()) {
        emulation::fatal("cudaFree: %p is no device allocation", memory);
    }
    emulation::device_enter();
    emulation::check_red_zones("cudaFree");
    ASAN_POISON_MEMORY_REGION(region + found->first, found->second);
    emulation::device_leave();
    allocated.erase(found);
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **memory, size_t bytes)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    *memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (*memory == nullptr) {
        return cudaErrorMemoryAllocation;
    }
    memset(*memory, 0xFF, bytes);
    pinned[*memory] = bytes;
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void *memory)
{
    emulation::drain_all();
    std::lock_guard<std::recursive_mutex> hold(lock);
    if (memory != nullptr && pinned.erase(memory) == 0) {
        emulation::fatal("cudaFreeHost: %p is no pinned allocation", memory);
    }
    free(memory);
    return cudaSuccess;
}

cudaError_t cudaHostRegister(void *memory, size_t bytes, unsigned)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    emulation::expect_host(memory, bytes, "cudaHostRegister", "the memory");
    return pinned.emplace(memory, bytes).second ? cudaSuccess : cudaErrorHostMemoryAlreadyRegistered;
}

cudaError_t cudaHostUnregister(void *memory)
{
    emulation::drain_all();
    std::lock_guard<std::recursive_mutex> hold(lock);
    return pinned.erase(memory) != 0 ? cudaSuccess : cudaErrorHostMemoryNotRegistered;
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    size_t used = 0;
    for (const auto &[offset, bytes] : allocated) {
        used += round_up(bytes) + zone_bytes;
    }
    *free_bytes = region_bytes - used;
    *total_bytes = region_bytes;
    return cudaSuccess;
}
