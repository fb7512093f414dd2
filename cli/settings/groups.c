#include "cli/settings/groups.h"

#include <stdbool.h>
#include <string.h>

#include "base/text.h"
#include "proto/limits.h"

#define DCPS_MAX_SLOWDOWN 1e6 /* as dcps-worker has it */
#define ENTRY_BYTES 128u

static dcps_status parse_name(const char *entry, const char *name, dcps_group *group)
{
    size_t length = strlen(name);
    bool clean = length > 0 && length < sizeof(group->name) &&
                 strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == length;
    if (!clean || strcmp(name, DCPS_GROUP_REST) == 0) {
        return dcps_fail(
            DCPS_INVALID,
            "group '%s': expected a name of 1 to %u letters, digits, '-', '_' or '.', and not '%s', saw '%s'", entry,
            DCPS_GROUP_NAME_BYTES - 1u, DCPS_GROUP_REST, name);
    }
    memcpy(group->name, name, length + 1);
    return DCPS_OK;
}

static dcps_status parse_numbers(const char *entry, const char *workers, const char *factor, dcps_group *group)
{
    int64_t count = 0;
    if (dcps_parse_integer("workers", workers, &count) != DCPS_OK || count < 1 || count > DCPS_MAX_WORKERS) {
        return dcps_fail(DCPS_INVALID, "group '%s': expected a number of workers from 1 to %u, saw '%s'", entry,
                         DCPS_MAX_WORKERS, workers);
    }
    if (dcps_parse_real("factor", factor, &group->factor) != DCPS_OK ||
        !(group->factor >= 1.0 && group->factor <= DCPS_MAX_SLOWDOWN)) {
        return dcps_fail(DCPS_INVALID,
                         "group '%s': expected a factor from 1 to %g by which its steps are longer, saw '%s'", entry,
                         DCPS_MAX_SLOWDOWN, factor);
    }
    group->workers = (uint32_t)count;
    return DCPS_OK;
}

/* Cuts `entry` at its first two colons; false where there are fewer, or more. */
static bool cut(char *entry, char **workers, char **factor)
{
    char *first = strchr(entry, ':');
    char *second = first == NULL ? NULL : strchr(first + 1, ':');
    if (second == NULL || strchr(second + 1, ':') != NULL) {
        return false;
    }
    *first = *second = '\0';
    *workers = first + 1;
    *factor = second + 1;
    return true;
}

/* `entry` is one element of the list, ended by a zero byte. */
static dcps_status parse_entry(const char *entry, dcps_group *group)
{
    char name[ENTRY_BYTES];
    char *workers;
    char *factor;
    memcpy(name, entry, strlen(entry) + 1);
    if (!cut(name, &workers, &factor)) {
        return dcps_fail(DCPS_INVALID, "group '%s': expected NAME:WORKERS:FACTOR, for example slow:1:4", entry);
    }
    *group = (dcps_group){.workers = 0};
    dcps_status status = parse_name(entry, name, group);
    return status == DCPS_OK ? parse_numbers(entry, workers, factor, group) : status;
}

static dcps_status add(dcps_groups *groups, const dcps_group *group)
{
    if (groups->count == DCPS_MAX_GROUPS) {
        return dcps_fail(DCPS_INVALID, "--groups: more than %u groups", DCPS_MAX_GROUPS);
    }
    for (uint32_t i = 0; i < groups->count; i++) {
        if (strcmp(groups->items[i].name, group->name) == 0) {
            return dcps_fail(DCPS_INVALID, "--groups: the group '%s' is named twice", group->name);
        }
    }
    groups->items[groups->count++] = *group;
    return DCPS_OK;
}

dcps_status dcps_groups_parse(const char *text, dcps_groups *groups)
{
    dcps_groups parsed = {.count = 0};
    for (const char *rest = text; rest != NULL;) {
        char entry[ENTRY_BYTES];
        dcps_group group;
        size_t length = strcspn(rest, ",");
        if (length == 0 || length >= sizeof(entry)) {
            return dcps_fail(DCPS_INVALID, "--groups '%.200s': expected NAME:WORKERS:FACTOR[,…], saw %s at '%.40s'",
                             text, length == 0 ? "an empty entry" : "an overlong entry", rest);
        }
        memcpy(entry, rest, length);
        entry[length] = '\0';
        dcps_status status = parse_entry(entry, &group);
        status = status == DCPS_OK ? add(&parsed, &group) : status;
        if (status != DCPS_OK) {
            return status;
        }
        rest = rest[length] == '\0' ? NULL : rest + length + 1;
    }
    *groups = parsed;
    return DCPS_OK;
}

/* In all groups together. */
static uint32_t workers_in(const dcps_groups *groups)
{
    uint32_t workers = 0;
    for (uint32_t i = 0; i < groups->count; i++) {
        workers += groups->items[i].workers;
    }
    return workers;
}

dcps_status dcps_groups_check(const dcps_groups *groups, const char *run, uint32_t workers)
{
    uint32_t wanted = workers_in(groups);
    if (wanted > workers) {
        return dcps_fail(DCPS_INVALID, "--groups: %u workers are in groups, but %s has %u", wanted, run, workers);
    }
    return DCPS_OK;
}

const dcps_group *dcps_groups_find(const dcps_groups *groups, uint32_t index, uint32_t workers)
{
    uint32_t end = workers;
    for (uint32_t i = groups->count; i > 0 && end >= groups->items[i - 1].workers; i--) {
        uint32_t first = end - groups->items[i - 1].workers;
        if (index >= first && index < end) {
            return &groups->items[i - 1];
        }
        end = first;
    }
    return NULL;
}
