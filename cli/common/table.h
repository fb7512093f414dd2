/* Text tables with aligned columns. Single-threaded. */
#ifndef DCPS_CLI_TABLE_H
#define DCPS_CLI_TABLE_H

#include <stdint.h>
#include <stdio.h>

#include "dcps/status.h"

#define DCPS_TABLE_MAX_COLUMNS 16u

typedef enum dcps_align { DCPS_ALIGN_LEFT = 1, DCPS_ALIGN_RIGHT } dcps_align;

typedef struct dcps_table dcps_table;

DCPS_MUST_CHECK dcps_status dcps_table_create(dcps_table **table);
void dcps_table_destroy(dcps_table **table);

/* Columns first (at most DCPS_TABLE_MAX_COLUMNS, asserted), then cells row by row. UTF-8; a failure to allocate shows in dcps_table_print. */
void dcps_table_column(dcps_table *table, const char *heading, dcps_align align);
void dcps_table_cell(dcps_table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Headings, a rule, the rows; two blanks between columns, none at line ends. DCPS_NO_MEMORY if a cell was lost, DCPS_IO. */
DCPS_MUST_CHECK dcps_status dcps_table_print(const dcps_table *table, FILE *out);

/* "41,230" into out[capacity], rounded to whole numbers; "–" for a value that is not finite. Returns out. */
const char *dcps_format_count(double value, char *out, size_t capacity);
/* "7.3 s", "2:05", "1:02:05"; "–" when not finite or negative. Returns out. */
const char *dcps_format_duration(double seconds, char *out, size_t capacity);
/* "0", "350 µs", "1.2 ms", "2.05 s": a short time with three digits at most, long ones as dcps_format_duration has them; "–" when not finite or negative. Returns out. */
const char *dcps_format_span(double seconds, char *out, size_t capacity);

#endif
