#include "cli/compare/sweep.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* How closely a line is meant for a run. */
typedef enum aim { AIM_OTHERS, AIM_ALL, AIM_ALGORITHM, AIM_NAME, AIM_RUN } aim;

/* One line of --sweep. */
typedef struct sweep_line {
    const char *text;
    size_t length;
    size_t selector; /* bytes before the ':' that ends it; 0: none */
} sweep_line;

static bool next_line(const char **rest, sweep_line *line)
{
    if (*rest == NULL || **rest == '\0') {
        return false;
    }
    *line = (sweep_line){.text = *rest, .length = strcspn(*rest, "\n")};
    *rest += line->length + ((*rest)[line->length] == '\n');
    return true;
}

/* Whether the line begins with "SELECTOR:". */
static bool begins_with(const sweep_line *line, const char *selector)
{
    size_t length = strlen(selector);
    return length < line->length && strncmp(line->text, selector, length) == 0 && line->text[length] == ':';
}

static aim aim_at(const sweep_line *line, const dcps_run_spec *spec, size_t *selector)
{
    char run[DCPS_RUN_LABEL_BYTES + 16];
    (void)snprintf(run, sizeof(run), "%s@%u", spec->name, spec->workers);
    const struct {
        const char *selector;
        aim aim;
    } choices[] = {{run, AIM_RUN}, {spec->name, AIM_NAME}, {spec->algorithm, AIM_ALGORITHM}};
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        if (begins_with(line, choices[i].selector)) {
            *selector = strlen(choices[i].selector);
            return choices[i].aim;
        }
    }
    return AIM_OTHERS;
}

/* A selector is known by the runs there are, for names of runs may hold '=' and ':' may stand in values. */
static dcps_status find_selector(sweep_line *line, const dcps_run_spec *specs, size_t count)
{
    line->selector = 0;
    for (size_t i = 0; i < count; i++) {
        size_t selector = 0;
        (void)aim_at(line, &specs[i], &selector);
        line->selector = selector > line->selector ? selector : line->selector;
    }
    size_t colon = strcspn(line->text, ":");
    if (line->selector == 0 && colon < strcspn(line->text, "=\n") && colon < line->length) {
        return dcps_fail(DCPS_INVALID, "--sweep '%.*s': there is no run '%.*s' among --runs", (int)line->length,
                         line->text, (int)colon, line->text);
    }
    return DCPS_OK;
}

static dcps_status fail_line(const sweep_line *line, const char *what)
{
    return dcps_fail(DCPS_INVALID, "--sweep '%.*s': %s; expected [RUN:]OPTION=VALUE:VALUE,OPTION=…",
                     (int)(line->length < 200 ? line->length : 200), line->text, what);
}

static dcps_status add_value(const sweep_line *line, dcps_sweep_parameter *parameter, const char *text, size_t length)
{
    if (parameter->value_count == DCPS_SWEEP_MAX_VALUES || length >= DCPS_OVERRIDE_VALUE_BYTES) {
        return dcps_fail(DCPS_LIMIT, "--sweep: %s has more than %u values, or one of more than %u bytes",
                         parameter->name, DCPS_SWEEP_MAX_VALUES, DCPS_OVERRIDE_VALUE_BYTES - 1);
    }
    char *value = parameter->values[parameter->value_count];
    memcpy(value, text, length);
    value[length] = '\0';
    for (uint32_t i = 0; i < parameter->value_count; i++) {
        if (strcmp(parameter->values[i], value) == 0) {
            return fail_line(line, "a value is there twice");
        }
    }
    parameter->value_count++;
    return DCPS_OK;
}

static dcps_status add_values(const sweep_line *line, dcps_sweep_parameter *parameter, const char *text, size_t length)
{
    size_t start = 0;
    dcps_status status = DCPS_OK;
    while (status == DCPS_OK && start <= length) {
        const char *colon = memchr(text + start, ':', length - start);
        size_t end = colon != NULL ? (size_t)(colon - text) : length;
        /* Empty is a value where it is the only one: decay-epochs= means none. */
        if (end == start && length > 0) {
            return fail_line(line, "a value is empty");
        }
        status = add_value(line, parameter, text + start, end - start);
        start = end + 1;
    }
    return status;
}

/* "OPTION=VALUE:VALUE". */
static dcps_status add_parameter(const sweep_line *line, const char *text, size_t length, dcps_sweep *sweep)
{
    const char *equals = memchr(text, '=', length);
    if (equals == NULL || sweep->count == DCPS_SWEEP_MAX_PARAMETERS) {
        return fail_line(line, equals == NULL ? "an entry has no '='" : "too many options");
    }
    dcps_sweep_parameter *parameter = &sweep->parameters[sweep->count];
    size_t name_length = (size_t)(equals - text);
    *parameter = (dcps_sweep_parameter){.value_count = 0};
    if (name_length >= sizeof(parameter->name)) {
        return fail_line(line, "that is no training option");
    }
    memcpy(parameter->name, text, name_length);
    if (!dcps_is_training_option(parameter->name)) {
        return dcps_fail(DCPS_INVALID, "--sweep: '%s' is no training option of dcps run", parameter->name);
    }
    for (uint32_t i = 0; i < sweep->count; i++) {
        if (strcmp(sweep->parameters[i].name, parameter->name) == 0) {
            return fail_line(line, "an option is there twice");
        }
    }
    sweep->count++;
    return add_values(line, parameter, equals + 1, length - name_length - 1);
}

/* Length of the entry at text[0], up to a comma that another OPTION= follows. */
static size_t entry_length(const char *text, size_t length)
{
    size_t end = 0;
    for (;;) {
        const char *comma = memchr(text + end, ',', length - end);
        if (comma == NULL) {
            return length;
        }
        end = (size_t)(comma - text);
        size_t word = end + 1;
        while (word < length && (text[word] == '-' || (text[word] >= 'a' && text[word] <= 'z'))) {
            word++;
        }
        if (word < length && text[word] == '=') {
            return end;
        }
        end++;
    }
}

static dcps_status parse_line(const sweep_line *line, dcps_sweep *sweep)
{
    size_t at = line->selector > 0 ? line->selector + 1 : 0;
    dcps_status status = DCPS_OK;
    sweep->count = 0;
    if (at >= line->length) {
        return fail_line(line, "it names no option");
    }
    while (status == DCPS_OK && at < line->length) {
        size_t length = entry_length(line->text + at, line->length - at);
        status = add_parameter(line, line->text + at, length, sweep);
        at += length + 1;
    }
    uint64_t points = 1;
    for (uint32_t i = 0; i < sweep->count; i++) {
        points *= sweep->parameters[i].value_count > 0 ? sweep->parameters[i].value_count : 1;
    }
    if (status == DCPS_OK && points > DCPS_SWEEP_MAX_POINTS) {
        return dcps_fail(DCPS_LIMIT, "--sweep: %llu combinations, at most %u are possible", (unsigned long long)points,
                         DCPS_SWEEP_MAX_POINTS);
    }
    return status;
}

dcps_status dcps_sweep_find(const char *lines, const dcps_run_spec *specs, size_t count, const dcps_run_spec *spec,
                            dcps_sweep *sweep)
{
    const char *rest = lines;
    sweep_line line;
    aim closest = AIM_OTHERS;
    sweep->count = 0;
    while (next_line(&rest, &line)) {
        dcps_status status = find_selector(&line, specs, count);
        if (status != DCPS_OK) {
            return status;
        }
        size_t selector = 0;
        aim here = line.selector == 0 ? AIM_ALL : aim_at(&line, spec, &selector);
        if (here == AIM_OTHERS || here < closest) {
            continue;
        }
        if (here == closest) {
            return fail_line(&line, "another --sweep holds for the same runs");
        }
        closest = here;
        status = parse_line(&line, sweep);
        if (status != DCPS_OK) {
            return status;
        }
    }
    return DCPS_OK;
}

dcps_status dcps_sweeps_check(const char *lines, const dcps_run_spec *specs, size_t count)
{
    const char *rest = lines;
    sweep_line line;
    dcps_sweep sweep;
    dcps_status status = lines != NULL && lines[0] == '\0' ? dcps_fail(DCPS_INVALID, "--sweep is empty") : DCPS_OK;
    while (status == DCPS_OK && next_line(&rest, &line)) {
        status = find_selector(&line, specs, count);
        status = status == DCPS_OK ? parse_line(&line, &sweep) : status;
    }
    return status;
}

void dcps_sweep_drop(dcps_sweep *sweep, const char *name)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < sweep->count; i++) {
        if (strcmp(sweep->parameters[i].name, name) != 0) {
            sweep->parameters[kept++] = sweep->parameters[i];
        }
    }
    sweep->count = kept;
}

uint32_t dcps_sweep_points(const dcps_sweep *sweep)
{
    uint32_t points = 1;
    for (uint32_t i = 0; i < sweep->count; i++) {
        points *= sweep->parameters[i].value_count;
    }
    return points;
}

/* Which of its values a parameter has at a point. */
static uint32_t digit(const dcps_sweep *sweep, uint32_t point, uint32_t index)
{
    for (uint32_t i = sweep->count - 1; i > index; i--) {
        point /= sweep->parameters[i].value_count;
    }
    return point % sweep->parameters[index].value_count;
}

static bool is_used(dcps_sweep_point point, uint32_t index)
{
    return (point.unused >> index & 1u) == 0;
}

const char *dcps_sweep_value(const dcps_sweep *sweep, dcps_sweep_point point, uint32_t index)
{
    return is_used(point, index) ? sweep->parameters[index].values[digit(sweep, point.number, index)] : NULL;
}

bool dcps_sweep_same(const dcps_sweep *sweep, dcps_sweep_point one, dcps_sweep_point other)
{
    bool same = one.unused == other.unused;
    for (uint32_t i = 0; same && i < sweep->count; i++) {
        same = !is_used(one, i) || digit(sweep, one.number, i) == digit(sweep, other.number, i);
    }
    return same;
}

dcps_status dcps_sweep_apply(const dcps_sweep *sweep, dcps_sweep_point point, dcps_overrides *overrides)
{
    dcps_status status = DCPS_OK;
    for (uint32_t i = 0; status == DCPS_OK && i < sweep->count; i++) {
        const char *value = dcps_sweep_value(sweep, point, i);
        status = value == NULL ? DCPS_OK : dcps_overrides_set(overrides, sweep->parameters[i].name, value);
    }
    return status;
}

const char *dcps_sweep_describe(const dcps_sweep *sweep, dcps_sweep_point point, char *out, size_t capacity)
{
    size_t used = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < sweep->count && used < capacity; i++) {
        const char *value = dcps_sweep_value(sweep, point, i);
        if (value != NULL) {
            int wrote = snprintf(out + used, capacity - used, "%s%s=%s", used == 0 ? "" : " ",
                                 sweep->parameters[i].name, value);
            used += wrote > 0 ? (size_t)wrote : 0;
        }
    }
    return out;
}

int dcps_sweep_edge(const dcps_sweep *sweep, dcps_sweep_point point, uint32_t index)
{
    const dcps_sweep_parameter *parameter = &sweep->parameters[index];
    double chosen = 0.0;
    double low = (double)INFINITY;
    double high = (double)-INFINITY;
    for (uint32_t i = 0; i < parameter->value_count; i++) {
        double value = 0.0;
        if (dcps_parse_real(parameter->name, parameter->values[i], &value) != DCPS_OK) {
            return 0;
        }
        low = fmin(low, value);
        high = fmax(high, value);
        chosen = i == digit(sweep, point.number, index) ? value : chosen;
    }
    if (!is_used(point, index) || !(high > low)) {
        return 0;
    }
    return chosen == high ? 1 : chosen == low && low != 0.0 ? -1 : 0;
}
