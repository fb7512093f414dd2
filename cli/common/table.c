#include "cli/common/table.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/common/args.h"

/* Cells, headings first, in one list: cell i stands in column i modulo the number of columns. */
struct dcps_table {
    uint32_t columns;
    dcps_align align[DCPS_TABLE_MAX_COLUMNS];
    dcps_args cells;
};

dcps_status dcps_table_create(dcps_table **table)
{
    dcps_table *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a table");
    }
    *table = made;
    return DCPS_OK;
}

void dcps_table_destroy(dcps_table **table)
{
    if (*table != NULL) {
        dcps_args_fini(&(*table)->cells);
        dcps_free(*table);
        *table = NULL;
    }
}

void dcps_table_column(dcps_table *table, const char *heading, dcps_align align)
{
    assert(table->columns < DCPS_TABLE_MAX_COLUMNS && table->cells.count == table->columns);
    table->align[table->columns++] = align;
    dcps_args_add(&table->cells, "%s", heading);
}

void dcps_table_cell(dcps_table *table, const char *format, ...)
{
    char text[256];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    dcps_args_add(&table->cells, "%s", text);
}

/* Characters, not bytes: continuation bytes of UTF-8 do not count. */
static size_t text_width(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xC0u) != 0x80u;
    }
    return width;
}

static void print_repeated(const char *text, size_t count, FILE *out)
{
    for (size_t i = 0; i < count; i++) {
        (void)fputs(text, out);
    }
}

static void print_row(const dcps_table *table, size_t row, const size_t *widths, FILE *out)
{
    for (uint32_t c = 0; c < table->columns; c++) {
        size_t index = row * table->columns + c;
        const char *text = index < table->cells.count ? table->cells.items[index] : "";
        size_t padding = widths[c] - text_width(text);
        bool left = table->align[c] == DCPS_ALIGN_LEFT;
        print_repeated(" ", left ? 0 : padding, out);
        (void)fputs(text, out);
        if (c + 1 < table->columns) {
            print_repeated(" ", (left ? padding : 0) + 2, out);
        }
    }
    (void)fputc('\n', out);
}

dcps_status dcps_table_print(const dcps_table *table, FILE *out)
{
    dcps_status status = dcps_args_check(&table->cells);
    if (status != DCPS_OK || table->columns == 0) {
        return status;
    }
    size_t widths[DCPS_TABLE_MAX_COLUMNS] = {0};
    size_t total = 0;
    for (size_t i = 0; i < table->cells.count; i++) {
        size_t width = text_width(table->cells.items[i]);
        size_t *column = &widths[i % table->columns];
        *column = width > *column ? width : *column;
    }
    for (uint32_t c = 0; c < table->columns; c++) {
        total += widths[c] + (c > 0 ? 2 : 0);
    }
    size_t rows = (table->cells.count + table->columns - 1) / table->columns;
    for (size_t row = 0; row < rows; row++) {
        print_row(table, row, widths, out);
        if (row == 0) {
            print_repeated("─", total, out);
            (void)fputc('\n', out);
        }
    }
    return ferror(out) ? dcps_fail(DCPS_IO, "cannot write a table: is the disk full or the pipe closed?") : DCPS_OK;
}

const char *dcps_format_count(double value, char *out, size_t capacity)
{
    if (!isfinite(value) || fabs(value) >= 9e15) {
        (void)snprintf(out, capacity, "–");
        return out;
    }
    char digits[32];
    int length = snprintf(digits, sizeof(digits), "%.0f", fabs(value));
    size_t used = 0;
    if (value <= -0.5 && used + 1 < capacity) {
        out[used++] = '-';
    }
    for (int i = 0; i < length && used + 2 < capacity; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            out[used++] = ',';
        }
        out[used++] = digits[i];
    }
    out[used] = '\0';
    return out;
}

const char *dcps_format_duration(double seconds, char *out, size_t capacity)
{
    if (!isfinite(seconds) || seconds < 0.0 || seconds >= 1e9) {
        (void)snprintf(out, capacity, "–");
    } else if (seconds < 9.95) {
        (void)snprintf(out, capacity, "%.1f s", seconds);
    } else if (seconds < 59.5) {
        (void)snprintf(out, capacity, "%.0f s", seconds);
    } else {
        int64_t whole = (int64_t)(seconds + 0.5);
        if (whole < 3600) {
            (void)snprintf(out, capacity, "%" PRId64 ":%02" PRId64, whole / 60, whole % 60);
        } else {
            (void)snprintf(out, capacity, "%" PRId64 ":%02" PRId64 ":%02" PRId64, whole / 3600, whole / 60 % 60,
                           whole % 60);
        }
    }
    return out;
}

/* The digits behind the point that make three in all. */
static int digits_behind(double value)
{
    return value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
}

const char *dcps_format_span(double seconds, char *out, size_t capacity)
{
    double micros = seconds * 1e6;
    if (!isfinite(seconds) || seconds >= 59.5 || seconds < 0.0) {
        return dcps_format_duration(seconds, out, capacity);
    }
    if (micros < 0.5) {
        (void)snprintf(out, capacity, "0");
    } else if (micros < 999.5) {
        (void)snprintf(out, capacity, "%.0f µs", micros);
    } else if (micros < 999500.0) {
        (void)snprintf(out, capacity, "%.*f ms", digits_behind(micros / 1e3), micros / 1e3);
    } else {
        (void)snprintf(out, capacity, "%.*f s", digits_behind(seconds), seconds);
    }
    return out;
}
