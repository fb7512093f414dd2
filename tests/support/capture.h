/* Collects what a test writes to a descriptor such as stdout or stderr. */
#ifndef DCPS_TESTS_SUPPORT_CAPTURE_H
#define DCPS_TESTS_SUPPORT_CAPTURE_H

#include <check.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct capture {
    int fd;    /* being captured */
    int saved; /* what it was before */
    int memory;
} capture;

static inline void capture_start(capture *self, int fd)
{
    (void)fflush(NULL);
    self->fd = fd;
    self->saved = dup(fd);
    self->memory = memfd_create("capture", 0);
    ck_assert_int_ge(self->saved, 0);
    ck_assert_int_ge(self->memory, 0);
    /* Without, writes of several threads may take the same place: such files do not lock their position. */
    ck_assert_int_eq(fcntl(self->memory, F_SETFL, O_APPEND), 0);
    ck_assert_int_eq(dup2(self->memory, fd), fd);
}

/* Whether `words` are among the first 8,191 bytes written so far; from any thread, before capture_end. */
static inline bool capture_has(const capture *self, const char *words)
{
    char text[8192];
    ssize_t bytes = pread(self->memory, text, sizeof(text) - 1, 0);
    text[bytes > 0 ? bytes : 0] = '\0';
    return strstr(text, words) != NULL;
}

/* Puts the descriptor back; `text` [capacity] gets what was written, which must fit. */
static inline void capture_end(capture *self, char *text, size_t capacity)
{
    (void)fflush(NULL);
    ck_assert_int_eq(dup2(self->saved, self->fd), self->fd);
    ssize_t bytes = pread(self->memory, text, capacity, 0);
    ck_assert_int_ge(bytes, 0);
    ck_assert_uint_lt((size_t)bytes, capacity);
    text[bytes] = '\0';
    (void)close(self->saved);
    (void)close(self->memory);
}

#endif
