#include "worker/plugin_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/regular_file.h"

/* More than any linker writes; bounds the work on a hostile file. */
#define MAX_SEGMENTS 256

static dcps_status read_at(const char *path, int fd, void *out, size_t bytes, uint64_t offset)
{
    ssize_t got = pread(fd, out, bytes, (off_t)offset);
    if (got == (ssize_t)bytes) {
        return DCPS_OK;
    }
    if (got < 0) {
        return dcps_fail(DCPS_IO, "model %s: cannot read: %s", path, strerror(errno));
    }
    return dcps_fail(
        DCPS_CORRUPT,
        "model %s: expected %zu bytes at offset %llu, the file ends before: it is no shared object or was cut short",
        path, bytes, (unsigned long long)offset);
}

static dcps_status head_check(const char *path, const ElfW(Ehdr) * head, const ElfW(Ehdr) * own)
{
    if (memcmp(head->e_ident, ELFMAG, SELFMAG) != 0) {
        return dcps_fail(
            DCPS_CORRUPT,
            "model %s: expected a shared object (ELF), seen a file that begins with bytes %02x %02x %02x %02x", path,
            head->e_ident[0], head->e_ident[1], head->e_ident[2], head->e_ident[3]);
    }
    if (head->e_ident[EI_CLASS] != own->e_ident[EI_CLASS] || head->e_ident[EI_DATA] != own->e_ident[EI_DATA] ||
        head->e_machine != own->e_machine) {
        return dcps_fail(
            DCPS_CORRUPT,
            "model %s: expected a shared object for this machine (ELF class %d, machine %d), seen class %d, machine %d",
            path, own->e_ident[EI_CLASS], own->e_machine, head->e_ident[EI_CLASS], head->e_machine);
    }
    if (head->e_type != ET_DYN) {
        return dcps_fail(DCPS_CORRUPT,
                         "model %s: expected a shared object (ELF type %d), seen type %d: link it with -shared", path,
                         ET_DYN, head->e_type);
    }
    if (head->e_phentsize != sizeof(ElfW(Phdr)) || head->e_phnum == 0 || head->e_phnum > MAX_SEGMENTS) {
        return dcps_fail(DCPS_CORRUPT, "model %s: expected 1 to %d segments of %zu bytes each, seen %d of %d", path,
                         MAX_SEGMENTS, sizeof(ElfW(Phdr)), head->e_phnum, head->e_phentsize);
    }
    return DCPS_OK;
}

static dcps_status segments_check(const char *path, int fd, const ElfW(Ehdr) * head, uint64_t file_bytes)
{
    for (int i = 0; i < head->e_phnum; i++) {
        ElfW(Phdr) segment;
        dcps_status status =
            read_at(path, fd, &segment, sizeof(segment), head->e_phoff + (uint64_t)i * sizeof(segment));
        if (status != DCPS_OK) {
            return status;
        }
        if (segment.p_type == PT_LOAD &&
            (segment.p_filesz > file_bytes || segment.p_offset > file_bytes - segment.p_filesz)) {
            return dcps_fail(
                DCPS_CORRUPT,
                "model %s: segment %d needs %llu bytes from offset %llu, the file has %llu: it was cut short", path, i,
                (unsigned long long)segment.p_filesz, (unsigned long long)segment.p_offset,
                (unsigned long long)file_bytes);
        }
    }
    return DCPS_OK;
}

/* What a file for this machine looks like: the running program's own head. */
static dcps_status own_head(ElfW(Ehdr) * own)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return dcps_fail(DCPS_IO, "/proc/self/exe cannot be opened: %s", strerror(errno));
    }
    dcps_status status = read_at("/proc/self/exe", fd, own, sizeof(*own), 0);
    close(fd);
    return status;
}

dcps_status dcps_plugin_file_check(const char *path)
{
    ElfW(Ehdr) own, head;
    struct stat about;
    dcps_status status = own_head(&own);
    if (status != DCPS_OK) {
        return status;
    }
    int fd;
    status = dcps_regular_file_open(path, &fd);
    if (status != DCPS_OK) {
        return dcps_fail(status, "model %s", dcps_error_message());
    }
    if (fstat(fd, &about) != 0) {
        status = dcps_fail(DCPS_IO, "model %s cannot be looked at: %s", path, strerror(errno));
    }
    if (status == DCPS_OK) {
        status = read_at(path, fd, &head, sizeof(head), 0);
    }
    if (status == DCPS_OK) {
        status = head_check(path, &head, &own);
    }
    if (status == DCPS_OK) {
        status = segments_check(path, fd, &head, (uint64_t)about.st_size);
    }
    close(fd);
    return status;
}
