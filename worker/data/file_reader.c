#include "worker/data/file_reader.h"

#include <errno.h>
#include <limits.h>
#include <lzma.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define ZLIB_CONST /* zlib only reads its input */
#include <zlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/regular_file.h"
#include "base/text.h"

#define INPUT_BYTES ((size_t)64 * 1024)
#define FIRST_GROWTH_BYTES ((size_t)1 << 20)
/* xz -9 needs 65 MiB. */
#define XZ_MEMORY_BYTES (UINT64_C(96) << 20)

/* How the bytes of a file are coded. A coded file is one or more streams, each with its own end. */
typedef struct form {
    const char *name;
    const char *suffix;
    size_t magic_bytes;
    uint8_t magic[6];
    /* Makes ready for a stream. */
    dcps_status (*start)(dcps_file_reader *reader);
    /* Decodes some input to at most `bytes` > 0; sets stream_ended. There is input, unless the file has ended. */
    dcps_status (*step)(dcps_file_reader *reader, uint8_t *out, size_t bytes, size_t *made);
    void (*finish)(dcps_file_reader *reader);
} form;

struct dcps_file_reader {
    int fd;
    const form *form;
    const uint8_t *next; /* in `input`, not decoded yet */
    size_t left;
    bool file_ended;   /* `input` has the last bytes */
    bool stream_ended; /* also before the first stream */
    bool ended;        /* nothing more to give */
    z_stream gzip;
    lzma_stream xz;
    char path[PATH_MAX];
    uint8_t input[INPUT_BYTES];
};

static dcps_status damaged(const dcps_file_reader *reader, const char *how)
{
    return dcps_fail(DCPS_CORRUPT, "%s: damaged %s file: %s", reader->path, reader->form->name, how);
}

static dcps_status no_memory(const dcps_file_reader *reader)
{
    return dcps_fail(DCPS_NO_MEMORY, "%s: no memory to read it", reader->path);
}

static void *gzip_alloc(void *unused, unsigned count, unsigned bytes)
{
    (void)unused;
    return dcps_alloc(count, bytes);
}

static void any_free(void *unused, void *memory)
{
    (void)unused;
    dcps_free(memory);
}

static dcps_status gzip_start(dcps_file_reader *reader)
{
    z_stream *gzip = &reader->gzip;
    gzip->zalloc = gzip_alloc;
    gzip->zfree = any_free;
    int code =
        gzip->state == NULL ? inflateInit2(gzip, 16 + MAX_WBITS) : inflateReset(gzip); /* 16: gzip head and end */
    return code == Z_OK ? DCPS_OK : no_memory(reader);
}

static dcps_status gzip_step(dcps_file_reader *reader, uint8_t *out, size_t bytes, size_t *made)
{
    z_stream *gzip = &reader->gzip;
    unsigned room = bytes < UINT_MAX ? (unsigned)bytes : UINT_MAX;
    gzip->next_in = reader->next;
    gzip->avail_in = (unsigned)reader->left;
    gzip->next_out = out;
    gzip->avail_out = room;
    int code = inflate(gzip, Z_NO_FLUSH);
    reader->next = gzip->next_in;
    reader->left = gzip->avail_in;
    *made = room - gzip->avail_out;
    reader->stream_ended = code == Z_STREAM_END;
    if (code == Z_OK || code == Z_STREAM_END) {
        return DCPS_OK;
    }
    if (code == Z_MEM_ERROR) {
        return no_memory(reader);
    }
    return damaged(reader, code == Z_BUF_ERROR ? "it was cut short" : gzip->msg == NULL ? "bad stream" : gzip->msg);
}

static void gzip_finish(dcps_file_reader *reader)
{
    inflateEnd(&reader->gzip);
}

static void *xz_alloc(void *unused, size_t count, size_t bytes)
{
    (void)unused;
    return dcps_alloc(count, bytes);
}

static dcps_status xz_fail(const dcps_file_reader *reader, lzma_ret code)
{
    switch (code) {
    case LZMA_MEM_ERROR:
        return no_memory(reader);
    case LZMA_MEMLIMIT_ERROR:
        return dcps_fail(DCPS_LIMIT,
                         "%s: decoding it takes more than the limit of %llu MiB: compress it with xz -9 or less",
                         reader->path, (unsigned long long)XZ_MEMORY_BYTES >> 20);
    case LZMA_OPTIONS_ERROR:
    case LZMA_UNSUPPORTED_CHECK:
        return dcps_fail(DCPS_UNSUPPORTED, "%s: its kind of xz compression or checksum is not known here",
                         reader->path);
    case LZMA_BUF_ERROR:
        return damaged(reader, "it was cut short");
    case LZMA_FORMAT_ERROR:
        return damaged(reader, "expected the head of an xz stream");
    default:
        return damaged(reader, "its contents or their checksum are wrong");
    }
}

static dcps_status xz_start(dcps_file_reader *reader)
{
    static const lzma_allocator allocator = {.alloc = xz_alloc, .free = any_free};
    reader->xz.allocator = &allocator;
    lzma_ret code = lzma_stream_decoder(&reader->xz, XZ_MEMORY_BYTES, LZMA_TELL_UNSUPPORTED_CHECK);
    return code == LZMA_OK ? DCPS_OK : xz_fail(reader, code);
}

static dcps_status xz_step(dcps_file_reader *reader, uint8_t *out, size_t bytes, size_t *made)
{
    lzma_stream *xz = &reader->xz;
    xz->next_in = reader->next;
    xz->avail_in = reader->left;
    xz->next_out = out;
    xz->avail_out = bytes;
    lzma_ret code = lzma_code(xz, reader->file_ended ? LZMA_FINISH : LZMA_RUN);
    reader->next = xz->next_in;
    reader->left = xz->avail_in;
    *made = bytes - xz->avail_out;
    reader->stream_ended = code == LZMA_STREAM_END;
    return code == LZMA_OK || code == LZMA_STREAM_END ? DCPS_OK : xz_fail(reader, code);
}

static void xz_finish(dcps_file_reader *reader)
{
    lzma_end(&reader->xz);
}

static dcps_status plain_step(dcps_file_reader *reader, uint8_t *out, size_t bytes, size_t *made)
{
    *made = bytes < reader->left ? bytes : reader->left;
    memcpy(out, reader->next, *made);
    reader->next += *made;
    reader->left -= *made;
    reader->ended = *made == 0;
    return DCPS_OK;
}

static const form plain = {.name = "plain", .step = plain_step};

static const form coded[] = {
    {"gzip", ".gz", 2, {0x1f, 0x8b}, gzip_start, gzip_step, gzip_finish},
    {"xz", ".xz", 6, {0xfd, '7', 'z', 'X', 'Z', 0}, xz_start, xz_step, xz_finish},
};

/* Makes sure that there is input, unless the file has ended. */
static dcps_status refill(dcps_file_reader *reader)
{
    while (reader->left == 0 && !reader->file_ended) {
        ssize_t got = read(reader->fd, reader->input, sizeof(reader->input));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return dcps_fail(DCPS_IO, "%s: reading failed: %s", reader->path, strerror(errno));
        }
        reader->next = reader->input;
        reader->left = (size_t)got;
        reader->file_ended = got == 0;
    }
    return DCPS_OK;
}

static bool ends_in(const char *text, const char *suffix)
{
    size_t length = strlen(text), suffix_length = strlen(suffix);
    return length >= suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

/* Chooses the form by the first bytes, and holds the file to its name. */
static dcps_status recognise(dcps_file_reader *reader)
{
    dcps_status status = refill(reader);
    if (status != DCPS_OK) {
        return status;
    }
    reader->form = &plain;
    for (size_t i = 0; i < sizeof(coded) / sizeof(coded[0]); i++) {
        bool is =
            reader->left >= coded[i].magic_bytes && memcmp(reader->next, coded[i].magic, coded[i].magic_bytes) == 0;
        if (is) {
            reader->form = &coded[i];
        } else if (ends_in(reader->path, coded[i].suffix)) {
            return dcps_fail(DCPS_CORRUPT, "%s: expected a %s file, as its name says: it is damaged or something else",
                             reader->path, coded[i].name);
        }
    }
    reader->stream_ended = reader->form != &plain;
    return DCPS_OK;
}

/* Of all files opened so far: a sum, so that no order matters. Read once they are open, by who waited for that: no memory order is needed. */
static _Atomic uint64_t files_digest;

uint64_t dcps_file_reader_digest(void)
{
    return atomic_load_explicit(&files_digest, memory_order_relaxed);
}

static void note_file(const char *path, const struct stat *about)
{
    const int64_t facts[] = {about->st_size, about->st_mtim.tv_sec, about->st_mtim.tv_nsec};
    uint64_t hash = dcps_hash_bytes(DCPS_HASH_START, path, strlen(path));
    (void)atomic_fetch_add_explicit(&files_digest, dcps_hash_bytes(hash, facts, sizeof(facts)), memory_order_relaxed);
}

static dcps_status open_noted(dcps_file_reader *reader)
{
    struct stat about;
    dcps_status status = dcps_regular_file_open(reader->path, &reader->fd);
    if (status != DCPS_OK) {
        return status;
    }
    if (fstat(reader->fd, &about) != 0) {
        return dcps_fail(DCPS_IO, "%s cannot be read: %s", reader->path, strerror(errno));
    }
    note_file(reader->path, &about);
    return DCPS_OK;
}

dcps_status dcps_file_reader_open(const char *path, dcps_file_reader **reader)
{
    dcps_file_reader *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "%s: no memory to read it", path);
    }
    made->fd = -1;
    dcps_status status = dcps_format(made->path, sizeof(made->path), "%s", path);
    if (status == DCPS_OK) {
        status = open_noted(made);
    }
    if (status == DCPS_OK) {
        status = recognise(made);
    }
    if (status != DCPS_OK) {
        dcps_file_reader_close(&made);
        return status;
    }
    *reader = made;
    return DCPS_OK;
}

void dcps_file_reader_close(dcps_file_reader **reader)
{
    dcps_file_reader *closing = *reader;
    if (closing == NULL) {
        return;
    }
    if (closing->form != NULL && closing->form->finish != NULL) {
        closing->form->finish(closing);
    }
    if (closing->fd >= 0) {
        close(closing->fd);
    }
    dcps_free(closing);
    *reader = NULL;
}

static dcps_status advance(dcps_file_reader *reader, uint8_t *out, size_t bytes, size_t *made)
{
    dcps_status status = refill(reader);
    if (status != DCPS_OK) {
        return status;
    }
    if (reader->stream_ended) {
        reader->ended = reader->left == 0;
        if (reader->ended) {
            return DCPS_OK;
        }
        if (*reader->next != reader->form->magic[0]) {
            return damaged(reader, "it goes on after its end");
        }
        status = reader->form->start(reader);
        if (status != DCPS_OK) {
            return status;
        }
        reader->stream_ended = false;
    }
    return reader->form->step(reader, out, bytes, made);
}

dcps_status dcps_file_reader_read(dcps_file_reader *reader, void *out, size_t bytes, size_t *got)
{
    size_t done = 0;
    while (done < bytes && !reader->ended) {
        size_t made = 0;
        dcps_status status = advance(reader, (uint8_t *)out + done, bytes - done, &made);
        if (status != DCPS_OK) {
            return status;
        }
        done += made;
    }
    *got = done;
    return DCPS_OK;
}

dcps_status dcps_file_reader_read_grown(dcps_file_reader *reader, uint64_t most_bytes, uint8_t **out, size_t *got)
{
    uint8_t *bytes = NULL;
    size_t capacity = 0, done = 0;
    while (done == capacity && done < most_bytes) {
        size_t larger = capacity == 0 ? FIRST_GROWTH_BYTES : 2 * capacity;
        capacity = larger < most_bytes ? larger : (size_t)most_bytes;
        uint8_t *grown = dcps_realloc(bytes, capacity, 1);
        if (grown == NULL) {
            dcps_free(bytes);
            return no_memory(reader);
        }
        bytes = grown;
        size_t more = 0;
        dcps_status status = dcps_file_reader_read(reader, bytes + done, capacity - done, &more);
        if (status != DCPS_OK) {
            dcps_free(bytes);
            return status;
        }
        done += more;
    }
    *out = bytes;
    *got = done;
    return DCPS_OK;
}

dcps_status dcps_file_reader_at_end(dcps_file_reader *reader, bool *at_end)
{
    uint8_t beyond;
    size_t got = 0;
    dcps_status status = dcps_file_reader_read(reader, &beyond, 1, &got);
    if (status == DCPS_OK) {
        *at_end = got == 0;
    }
    return status;
}
