#include "server/trace/row.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "proto/limits.h"

static const char *const kinds[] = {"pull", "init", "push", "abstain"}; /* from DCPS_TAKEN_PULL on */
static const char *const fates[] = {"-", "applied", "dropped"};         /* from DCPS_FATE_NONE on */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

size_t dcps_trace_row_format(const dcps_trace_row *row, char line[DCPS_TRACE_ROW_BYTES])
{
    const dcps_taken *taken = &row->taken;
    int length = snprintf(line, DCPS_TRACE_ROW_BYTES,
                          "%" PRIu64 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu64 ",%" PRIu64 ",%s,%s,%" PRIu64
                          ",%" PRIu32 ",%" PRIu64 "\n",
                          row->ns, taken->block, taken->worker, taken->incarnation, taken->seq, taken->step,
                          kinds[taken->kind - DCPS_TAKEN_PULL], fates[taken->fate - DCPS_FATE_NONE], taken->staleness,
                          taken->samples, taken->away_ns);
    return (size_t)length;
}

/* Takes the next field off *line: its length, and *line behind the comma or at the end. */
static size_t next_field(const char **line)
{
    size_t length = strcspn(*line, ",");
    *line += length + ((*line)[length] == ',');
    return length;
}

static dcps_status bad_field(const char *column, const char *field, size_t length, const char *expected)
{
    return dcps_fail(DCPS_CORRUPT, "column %s is \"%.*s\", expected %s", column, (int)(length < 40 ? length : 40),
                     field, expected);
}

/* A decimal number below `limit`. */
static dcps_status take_number(const char **line, const char *column, uint64_t limit, uint64_t *value)
{
    const char *field = *line;
    size_t length = next_field(line);
    uint64_t number = 0;
    bool good = length > 0;
    for (size_t i = 0; good && i < length; i++) {
        uint64_t digit = (uint64_t)(field[i] - '0');
        good = field[i] >= '0' && field[i] <= '9' && number < UINT64_MAX / 10u;
        number = number * 10u + digit;
    }
    if (!good || number >= limit) {
        char expected[48];
        (void)snprintf(expected, sizeof(expected), "a number below %" PRIu64, limit);
        return bad_field(column, field, length, expected);
    }
    *value = number;
    return DCPS_OK;
}

static dcps_status take_word(const char **line, const char *column, const char *const *words, size_t count,
                             uint32_t *index)
{
    const char *field = *line;
    size_t length = next_field(line);
    for (uint32_t i = 0; i < count; i++) {
        if (strlen(words[i]) == length && strncmp(words[i], field, length) == 0) {
            *index = i;
            return DCPS_OK;
        }
    }
    return bad_field(column, field, length,
                     count == COUNT(kinds) ? "pull, init, push or abstain" : "-, applied or dropped");
}

static dcps_status check_meaning(const dcps_taken *taken)
{
    bool gradient = taken->kind == DCPS_TAKEN_PUSH;
    bool pushes = gradient || taken->kind == DCPS_TAKEN_ABSTAIN;
    if (gradient != (taken->fate != DCPS_FATE_NONE) || gradient != (taken->samples > 0)) {
        return dcps_fail(DCPS_CORRUPT, "kind, fate and samples contradict each other: a push, and nothing else, has "
                                       "samples and is applied or dropped");
    }
    if ((taken->staleness > 0 && !gradient) || (taken->away_ns > 0 && !pushes)) {
        return dcps_fail(DCPS_CORRUPT, "%s that is no push",
                         taken->staleness > 0 ? "staleness of a request" : "away_ns of a request");
    }
    return DCPS_OK;
}

dcps_status dcps_trace_row_parse(const char *line, dcps_trace_row *row)
{
    enum { NS, BLOCK, WORKER, INCARNATION, SEQ, STEP, STALENESS, SAMPLES, AWAY };
    static const struct {
        const char *column;
        uint64_t limit;
    } numbers[] = {{"ns", INT64_MAX},           {"block", DCPS_MAX_BLOCKS}, {"worker", DCPS_MAX_WORKERS},
                   {"incarnation", UINT32_MAX}, {"seq", INT64_MAX},         {"step", DCPS_MAX_STEP},
                   {"staleness", INT64_MAX},    {"samples", UINT32_MAX},    {"away_ns", INT64_MAX}};
    uint64_t values[COUNT(numbers)] = {0};
    uint32_t kind = 0;
    uint32_t fate = 0;
    dcps_status status = DCPS_OK;
    for (size_t i = 0; status == DCPS_OK && i < COUNT(numbers); i++) {
        if (i == STALENESS) {
            status = take_word(&line, "kind", kinds, COUNT(kinds), &kind);
            status = status == DCPS_OK ? take_word(&line, "fate", fates, COUNT(fates), &fate) : status;
        }
        status = status == DCPS_OK ? take_number(&line, numbers[i].column, numbers[i].limit, &values[i]) : status;
    }
    if (status != DCPS_OK) {
        return status;
    }
    if (*line != '\0' || line[-1] == ',') {
        return dcps_fail(DCPS_CORRUPT, "something comes after column away_ns");
    }
    *row = (dcps_trace_row){.ns = values[NS],
                            .taken = {.kind = (dcps_taken_kind)(kind + DCPS_TAKEN_PULL),
                                      .fate = (dcps_taken_fate)(fate + DCPS_FATE_NONE),
                                      .block = (uint32_t)values[BLOCK],
                                      .worker = (uint32_t)values[WORKER],
                                      .incarnation = (uint32_t)values[INCARNATION],
                                      .samples = (uint32_t)values[SAMPLES],
                                      .seq = values[SEQ],
                                      .step = values[STEP],
                                      .staleness = values[STALENESS],
                                      .away_ns = values[AWAY]}};
    return check_meaning(&row->taken);
}
