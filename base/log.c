#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

#define PROGRAM_BYTES 64
#define MESSAGE_BYTES 2048
/* Escapes make a byte at most six. */
#define LINE_BYTES (6 * (MESSAGE_BYTES + PROGRAM_BYTES) + 128)

static struct {
    char program[PROGRAM_BYTES];
    dcps_log_level level;
    bool json;
} setup = {.program = "dcps", .level = DCPS_LOG_INFO};

typedef struct line {
    char bytes[LINE_BYTES];
    size_t used;
} line;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

dcps_log_level dcps_log_level_named(const char *name)
{
    int level = DCPS_LOG_DEBUG;
    while (strcmp(level_names[level], name) != 0) {
        assert(level < DCPS_LOG_ERROR);
        level++;
    }
    return (dcps_log_level)level;
}

void dcps_log_setup(const char *program, dcps_log_level level, bool json)
{
    (void)snprintf(setup.program, sizeof(setup.program), "%s", program);
    setup.level = level;
    setup.json = json;
}

static void append(line *out, const char *bytes, size_t count)
{
    if (count > sizeof(out->bytes) - out->used) {
        count = sizeof(out->bytes) - out->used;
    }
    memcpy(out->bytes + out->used, bytes, count);
    out->used += count;
}

static void append_text(line *out, const char *text)
{
    append(out, text, strlen(text));
}

/* Texts may come from peers: control characters must not reach a terminal or break a line, in either format. */
static void append_escaped(line *out, const char *text, bool json)
{
    while (*text != '\0') {
        unsigned char first = (unsigned char)*text;
        size_t length = dcps_utf8_length(text);
        char escape[8];
        if (length == 0) {
            append_text(out, json ? "\\ufffd" : "\xef\xbf\xbd");
        } else if (first < 0x20 || first == 0x7f || (first == 0xc2 && (unsigned char)text[1] < 0xa0)) {
            unsigned code = first == 0xc2 ? (unsigned char)text[1] : first;
            (void)snprintf(escape, sizeof(escape), "\\u%04x", code);
            append_text(out, escape);
        } else if (json && (first == '"' || first == '\\')) {
            append_text(out, "\\");
            append(out, text, 1);
        } else {
            append(out, text, length);
        }
        text += length == 0 ? 1 : length;
    }
}

/* "2024-05-31T08:15:00.123Z" */
static void append_time(line *out)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    struct tm parts;
    if (gmtime_r(&now.tv_sec, &parts) == NULL) {
        return;
    }
    char text[40];
    size_t length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(text + length, sizeof(text) - length, ".%03ldZ", now.tv_nsec / 1000000);
    append_text(out, text);
}

static void compose_json(line *out, dcps_log_level level, const char *message)
{
    append_text(out, "{\"time\":\"");
    append_time(out);
    append_text(out, "\",\"level\":\"");
    append_text(out, level_names[level]);
    append_text(out, "\",\"program\":\"");
    append_escaped(out, setup.program, true);
    append_text(out, "\",\"message\":\"");
    append_escaped(out, message, true);
    append_text(out, "\"}\n");
}

static void compose_text(line *out, dcps_log_level level, const char *message)
{
    append_time(out);
    append_text(out, " ");
    append_escaped(out, setup.program, false);
    append_text(out, " ");
    append_text(out, level_names[level]);
    append_text(out, ": ");
    append_escaped(out, message, false);
    append_text(out, "\n");
}

/* One write, so that lines of several threads and processes do not mix. What stderr does not take is lost: there is nobody to tell. */
static void emit(const line *out)
{
    ssize_t written;
    do {
        written = write(STDERR_FILENO, out->bytes, out->used);
    } while (written < 0 && errno == EINTR);
}

void dcps_log(dcps_log_level level, const char *format, ...)
{
    if (level < setup.level) {
        return;
    }
    int saved_errno = errno;
    char message[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    if (length < 0) {
        message[0] = '\0';
    } else if ((size_t)length >= sizeof(message)) {
        memcpy(message + sizeof(message) - 4, "...", 4);
    }

    line out;
    out.used = 0;
    if (setup.json) {
        compose_json(&out, level, message);
    } else {
        compose_text(&out, level, message);
    }
    emit(&out);
    errno = saved_errno;
}

bool dcps_rate_limit_pass(dcps_rate_limit *limit, uint64_t now_ns, uint64_t *suppressed)
{
    if (now_ns - limit->window_start_ns >= limit->interval_ns) {
        limit->window_start_ns = now_ns;
        limit->used = 0;
    }
    if (limit->used >= limit->burst) {
        limit->suppressed++;
        return false;
    }
    limit->used++;
    *suppressed = limit->suppressed;
    limit->suppressed = 0;
    return true;
}
