#include "base/options.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/options_table.h"

dcps_status dcps_options_create(const dcps_option *table, const char *owner, dcps_options **options)
{
    size_t count = 0;
    while (table != NULL && table[count].name != NULL) {
        count++;
    }
    dcps_options *made = dcps_alloc(1, sizeof(*made));
    dcps_option_value *values = dcps_alloc(count, sizeof(*values));
    if (made == NULL || values == NULL) {
        dcps_free(values);
        dcps_free(made);
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a table of %zu options", count);
    }
    *made = (dcps_options){.table = table, .count = count, .values = values, .owner = owner};
    *options = made;
    return DCPS_OK;
}

void dcps_options_destroy(dcps_options **options)
{
    dcps_options *going = *options;
    *options = NULL;
    if (going == NULL) {
        return;
    }
    for (size_t i = 0; i < going->count; i++) {
        dcps_free(going->values[i].text);
        dcps_free(going->values[i].list);
    }
    dcps_free(going->values);
    dcps_free(going->config_path);
    dcps_free(going->recommender);
    dcps_free(going);
}

size_t dcps_options_find(const dcps_options *options, const char *name, size_t length)
{
    size_t i = 0;
    while (i < options->count &&
           (strncmp(options->table[i].name, name, length) != 0 || options->table[i].name[length] != '\0')) {
        i++;
    }
    return i;
}

static const dcps_option_value *value_of(const dcps_options *options, const char *name)
{
    size_t index = dcps_options_find(options, name, strlen(name));
    assert(index < options->count && "an option of this name is in the table");
    return &options->values[index];
}

/* The value of an option, whose type the caller claims to know. */
static const dcps_option_value *typed_value_of(const dcps_options *options, const char *name, dcps_option_type type)
{
    const dcps_option_value *value = value_of(options, name);
    assert(options->table[value - options->values].type == type);
    (void)type;
    return value;
}

bool dcps_options_is_set(const dcps_options *options, const char *name)
{
    return value_of(options, name)->text != NULL;
}

bool dcps_options_flag(const dcps_options *options, const char *name)
{
    return typed_value_of(options, name, DCPS_OPTION_FLAG)->flag;
}

int64_t dcps_options_integer(const dcps_options *options, const char *name)
{
    return typed_value_of(options, name, DCPS_OPTION_INTEGER)->integer;
}

double dcps_options_real(const dcps_options *options, const char *name)
{
    return typed_value_of(options, name, DCPS_OPTION_REAL)->real;
}

const char *dcps_options_text(const dcps_options *options, const char *name)
{
    return typed_value_of(options, name, DCPS_OPTION_TEXT)->text;
}

const int64_t *dcps_options_integers(const dcps_options *options, const char *name, size_t *count)
{
    const dcps_option_value *value = typed_value_of(options, name, DCPS_OPTION_INTEGERS);
    *count = value->list_count;
    return value->list;
}

const double *dcps_options_reals(const dcps_options *options, const char *name, size_t *count)
{
    const dcps_option_value *value = typed_value_of(options, name, DCPS_OPTION_REALS);
    *count = value->list_count;
    return value->list;
}

const char *dcps_options_given(const dcps_options *options, const char *name)
{
    const dcps_option_value *value = value_of(options, name);
    return value->text != NULL ? value->text : options->table[value - options->values].default_text;
}

const char *dcps_options_recommender(const dcps_options *options, const char *name)
{
    return value_of(options, name)->origin == DCPS_ORIGIN_RECOMMENDED ? options->recommender : NULL;
}

dcps_status dcps_options_recommend(dcps_options *options, const char *source, const char *name, const char *text)
{
    size_t index = dcps_options_find(options, name, strlen(name));
    if (index == options->count) {
        return dcps_fail(DCPS_INVALID, "%s recommends %s = %s: there is no such option", source, name, text);
    }
    if (options->recommender == NULL) {
        options->recommender = dcps_strdup(source);
    }
    if (options->recommender == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for what %s recommends", source);
    }
    return dcps_options_offer(options, index, DCPS_ORIGIN_RECOMMENDED, 0, text);
}

static dcps_status fail_unknown(const dcps_options *options, const char *name, size_t length)
{
    char known[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < options->count; i++) {
        int wrote = snprintf(known + used, sizeof(known) - used, "%s%s", i == 0 ? "" : ", ", options->table[i].name);
        if (wrote < 0 || (size_t)wrote >= sizeof(known) - used) {
            break; /* the rest is cut: a very long table */
        }
        used += (size_t)wrote;
    }
    int shown = length < 100 ? (int)length : 100;
    if (options->count == 0) {
        return dcps_fail(DCPS_INVALID, "%s has no options, got \"%.*s\"", options->owner, shown, name);
    }
    return dcps_fail(DCPS_INVALID, "%s has no option \"%.*s\"; it has: %s", options->owner, shown, name, known);
}

static dcps_status assign(dcps_options *options, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    if (equals == NULL || equals == assignment) {
        return dcps_fail(DCPS_INVALID, "%s: expected an option as NAME=VALUE, got \"%s\"", options->owner, assignment);
    }
    size_t length = (size_t)(equals - assignment);
    size_t index = dcps_options_find(options, assignment, length);
    if (index == options->count) {
        return fail_unknown(options, assignment, length);
    }
    return dcps_options_offer(options, index, DCPS_ORIGIN_FLAG, 0, equals + 1);
}

dcps_status dcps_options_from_assignments(const char *owner, const dcps_option *table, const char *const *assignments,
                                          size_t count, dcps_options **options)
{
    dcps_options *made = NULL;
    dcps_status status = dcps_options_create(table, owner, &made);
    for (size_t i = 0; status == DCPS_OK && i < count; i++) {
        status = assign(made, assignments[i]);
    }
    if (status == DCPS_OK) {
        status = dcps_options_resolve(made);
    }
    if (status != DCPS_OK) {
        dcps_options_destroy(&made);
        return status;
    }
    made->owner = NULL; /* the caller's text */
    *options = made;
    return DCPS_OK;
}
