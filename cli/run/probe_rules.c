#include "cli/run/probe_rules.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "server/engine/algorithm.h"

#define EXPECTED "expected NAME[,NAME][:lambda=X][:mean-square-decay=X][:correction-bound=X], and ';' between rules"

static dcps_status refuse(const char *name)
{
    char reason[256];
    (void)snprintf(reason, sizeof(reason), "%s", dcps_error_message());
    return dcps_fail(DCPS_INVALID, "--probe-rules, rule '%.100s': %s", name, reason);
}

/* Where the coefficient called [name, name + length) of a rule is; NULL: nowhere. */
static double *find_coefficient(dcps_rule_config *rule, const char *name, size_t length)
{
    const struct {
        const char *name;
        double *value;
    } known[] = {{"lambda", &rule->lambda},
                 {"mean-square-decay", &rule->mean_square_decay},
                 {"correction-bound", &rule->correction_bound}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strlen(known[i].name) == length && strncmp(known[i].name, name, length) == 0) {
            return known[i].value;
        }
    }
    return NULL;
}

/* One "lambda=2". */
static dcps_status set_coefficient(dcps_rule_config *rule, const char *text)
{
    size_t length = strcspn(text, "=");
    double *value = find_coefficient(rule, text, length);
    if (value == NULL || text[length] != '=') {
        return dcps_fail(DCPS_INVALID, "'%.60s' is no setting: " EXPECTED, text);
    }
    return dcps_parse_real("the value", text + length + 1, value);
}

/* Reads rule->name, of which `text` is a copy that may be cut up. */
static dcps_status read_rule(dcps_probe_rule *rule, char *text)
{
    dcps_algorithm algorithm;
    dcps_status status = dcps_algorithm_preset("asgd", &algorithm);
    char *rest = text;
    const char *chain = strsep(&rest, ":");
    if (status == DCPS_OK) {
        status = dcps_algorithm_set_compensation(&algorithm, chain);
    }
    while (status == DCPS_OK && rest != NULL) {
        status = set_coefficient(&algorithm.rule, strsep(&rest, ":"));
    }
    if (status == DCPS_OK) {
        status = dcps_algorithm_check(&algorithm, 1);
    }
    rule->config = algorithm.rule;
    return status == DCPS_OK ? DCPS_OK : refuse(rule->name);
}

dcps_status dcps_probe_rules_parse(const char *text, dcps_probe_rule rules[DCPS_MAX_PROBE_RULES], uint32_t *count)
{
    uint32_t read = 0;
    for (const char *rest = text; rest != NULL; read++) {
        size_t length = strcspn(rest, ";");
        char copy[DCPS_PROBE_NAME_BYTES];
        if (read == DCPS_MAX_PROBE_RULES) {
            return dcps_fail(DCPS_INVALID, "--probe-rules names more than %u rules", DCPS_MAX_PROBE_RULES);
        }
        if (length == 0 || length >= sizeof(copy)) {
            return dcps_fail(DCPS_INVALID, "--probe-rules has a rule of %zu characters: " EXPECTED, length);
        }
        (void)snprintf(copy, sizeof(copy), "%.*s", (int)length, rest);
        (void)snprintf(rules[read].name, sizeof(rules[read].name), "%s", copy);
        dcps_status status = read_rule(&rules[read], copy);
        if (status != DCPS_OK) {
            return status;
        }
        rest = rest[length] == ';' ? rest + length + 1 : NULL;
    }
    *count = read;
    return DCPS_OK;
}
