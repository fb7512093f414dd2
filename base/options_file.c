/* Configuration files: lines `name = value`, comments from a # at the start of a line or after a blank. */
#include "base/options_table.h"

#include <errno.h>
#include <string.h>

#include "base/regular_file.h"

#define LINE_BYTES 4096

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Cuts a comment and surrounding blanks off, in place. */
static char *strip(char *text)
{
    while (is_blank(*text)) {
        text++;
    }
    for (char *c = text; *c != '\0'; c++) {
        if (*c == '#' && (c == text || is_blank(c[-1]))) {
            *c = '\0';
            break;
        }
    }
    size_t length = strlen(text);
    while (length > 0 && is_blank(text[length - 1])) {
        length--;
    }
    text[length] = '\0';
    return text;
}

static dcps_status read_line(dcps_options *options, const char *path, unsigned number, char *line)
{
    char *name = strip(line);
    if (*name == '\0') {
        return DCPS_OK;
    }
    char *equals = strchr(name, '=');
    if (equals == NULL || equals == name) {
        return dcps_fail(DCPS_CORRUPT, "%s:%u: expected NAME = VALUE, got \"%.200s\"", path, number, name);
    }
    *equals = '\0';
    char *value = strip(equals + 1);
    name = strip(name);
    size_t index = dcps_options_find(options, name, strlen(name));
    if (index == options->count) {
        return dcps_fail(DCPS_CORRUPT, "%s:%u: unknown option \"%.200s\"; --help lists the known ones", path, number,
                         name);
    }
    return dcps_options_offer(options, index, DCPS_ORIGIN_FILE, number, value);
}

/* fgets keeps the line feed: where it lacks, this is the last line, or one that is too long or holds a zero byte. */
static bool is_whole(const char *line, FILE *file)
{
    size_t length = strlen(line);
    if (length > 0 && line[length - 1] == '\n') {
        return true;
    }
    return length > 0 && length < LINE_BYTES - 1 && feof(file);
}

static dcps_status read_lines(dcps_options *options, const char *path, FILE *file)
{
    char line[LINE_BYTES];
    for (unsigned number = 1; fgets(line, sizeof(line), file) != NULL; number++) {
        if (!is_whole(line, file)) {
            return dcps_fail(DCPS_CORRUPT,
                             "%s:%u: expected a text line below %d bytes, got a longer one or a zero byte", path,
                             number, LINE_BYTES - 1);
        }
        dcps_status status = read_line(options, path, number, line);
        if (status != DCPS_OK) {
            return status;
        }
    }
    if (ferror(file)) {
        return dcps_fail(DCPS_IO, "cannot read the configuration file %s: %s", path, strerror(errno));
    }
    return DCPS_OK;
}

dcps_status dcps_options_read_file(dcps_options *options, const char *path)
{
    FILE *file;
    dcps_status status = dcps_regular_file_stream(path, &file);
    if (status != DCPS_OK) {
        return dcps_fail(status, "configuration file %s", dcps_error_message());
    }
    status = read_lines(options, path, file);
    (void)fclose(file);
    return status;
}
