#include "cli/settings/overrides.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

const char *const dcps_training_options[] = {DCPS_TRAINING_OPTION_NAMES, NULL};

static const char *const rule_options[] = {DCPS_RULE_OPTION_NAMES, NULL};

static bool is_listed(const char *const *names, const char *name)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool dcps_is_training_option(const char *name)
{
    return is_listed(dcps_training_options, name);
}

bool dcps_is_rule_option(const char *name)
{
    return is_listed(rule_options, name);
}

const dcps_override *dcps_overrides_find(const dcps_overrides *overrides, const char *name)
{
    for (uint32_t i = 0; i < overrides->count; i++) {
        if (strcmp(overrides->entries[i].name, name) == 0) {
            return &overrides->entries[i];
        }
    }
    return NULL;
}

static dcps_status put(dcps_overrides *overrides, const char *name, const char *value, bool left_out)
{
    dcps_override made = {.left_out = left_out};
    dcps_status status = dcps_format(made.name, sizeof(made.name), "%s", name);
    status = status == DCPS_OK ? dcps_format(made.value, sizeof(made.value), "%s", value) : status;
    uint32_t at = 0;
    while (at < overrides->count && strcmp(overrides->entries[at].name, name) != 0) {
        at++;
    }
    if (status != DCPS_OK || at == DCPS_MAX_OVERRIDES) {
        return dcps_fail(DCPS_LIMIT, "setting %.40s=%.40s: at most %u settings, with values of at most %u bytes", name,
                         value, DCPS_MAX_OVERRIDES, DCPS_OVERRIDE_VALUE_BYTES - 1);
    }
    overrides->entries[at] = made;
    overrides->count += at == overrides->count;
    return DCPS_OK;
}

dcps_status dcps_overrides_set(dcps_overrides *overrides, const char *name, const char *value)
{
    return put(overrides, name, value, false);
}

dcps_status dcps_overrides_leave_out(dcps_overrides *overrides, const char *name)
{
    return put(overrides, name, "", true);
}

static dcps_status fail_name(const char *where, const char *name)
{
    char known[512] = "";
    size_t used = 0;
    for (size_t i = 0; dcps_training_options[i] != NULL; i++) {
        int wrote = snprintf(known + used, sizeof(known) - used, "%s%s", i == 0 ? "" : ", ", dcps_training_options[i]);
        used += wrote > 0 && used + (size_t)wrote < sizeof(known) ? (size_t)wrote : 0;
    }
    return dcps_fail(DCPS_INVALID, "%.200s: '%.60s' is no training option; there are %s", where, name, known);
}

dcps_status dcps_overrides_parse(dcps_overrides *overrides, const char *where, const char *text, size_t length)
{
    char copy[DCPS_OVERRIDE_NAME_BYTES + DCPS_OVERRIDE_VALUE_BYTES];
    if (length >= sizeof(copy)) {
        return dcps_fail(DCPS_LIMIT, "%.200s: the setting '%.60s…' is too long", where, text);
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    char *equals = strchr(copy, '=');
    if (equals == NULL) {
        return dcps_fail(DCPS_INVALID, "%.200s: expected OPTION=VALUE, saw '%s'", where, copy);
    }
    *equals = '\0';
    if (!dcps_is_training_option(copy)) {
        return fail_name(where, copy);
    }
    if (dcps_overrides_find(overrides, copy) != NULL) {
        return dcps_fail(DCPS_INVALID, "%.200s: %s is set twice", where, copy);
    }
    return dcps_overrides_set(overrides, copy, equals + 1);
}
