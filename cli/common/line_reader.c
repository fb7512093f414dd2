#include "cli/common/line_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Reads a turn, so that a child that floods its output cannot keep us from the others. */
#define DCPS_READS_PER_TURN 16u
/* Even of a dead child: a grandchild may hold its pipe and write on. */
#define DCPS_READS_AT_END 256u

void dcps_line_reader_init(dcps_line_reader *reader, int fd)
{
    reader->fd = fd;
    reader->used = 0;
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void dcps_line_reader_fini(dcps_line_reader *reader)
{
    if (reader->fd >= 0) {
        (void)close(reader->fd);
        reader->fd = -1;
    }
}

static void hand_on(char *text, size_t length, dcps_line_fn line, void *context)
{
    char copy[DCPS_LINE_READER_BYTES + 1];
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        copy[i] = (byte < 0x20 && byte != '\t') || byte == 0x7f ? '?' : text[i];
    }
    if (length > 0 && text[length - 1] == '\r') {
        length--;
    }
    copy[length] = '\0';
    line(context, copy);
}

/* Cuts off complete lines; a full buffer without a line feed counts as one. */
static void cut_lines(dcps_line_reader *reader, dcps_line_fn line, void *context)
{
    size_t start = 0;
    for (;;) {
        char *end = memchr(reader->bytes + start, '\n', reader->used - start);
        if (end == NULL) {
            break;
        }
        size_t length = (size_t)(end - (reader->bytes + start));
        hand_on(reader->bytes + start, length, line, context);
        start += length + 1;
    }
    if (start == 0 && reader->used == DCPS_LINE_READER_BYTES) {
        hand_on(reader->bytes, reader->used, line, context);
        start = reader->used;
    }
    memmove(reader->bytes, reader->bytes + start, reader->used - start);
    reader->used -= start;
}

void dcps_line_reader_drain(dcps_line_reader *reader, bool last, dcps_line_fn line, void *context)
{
    unsigned reads = last ? DCPS_READS_AT_END : DCPS_READS_PER_TURN;
    while (reader->fd >= 0 && reads-- > 0) {
        ssize_t got = read(reader->fd, reader->bytes + reader->used, DCPS_LINE_READER_BYTES - reader->used);
        if (got > 0) {
            reader->used += (size_t)got;
            cut_lines(reader, line, context);
        } else if (got < 0 && errno == EINTR) {
            continue;
        } else if (got < 0 && errno == EAGAIN) {
            break;
        } else {
            dcps_line_reader_fini(reader);
        }
    }
    if ((last || reader->fd < 0) && reader->used > 0) {
        hand_on(reader->bytes, reader->used, line, context);
        reader->used = 0;
    }
    if (last) {
        dcps_line_reader_fini(reader);
    }
}
