#include "server/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "dcps/layout.h"

/* Refuses flags that would have no effect. */
static dcps_status check_overrides(const dcps_options *options, const dcps_algorithm *algorithm)
{
    for (const dcps_algorithm_parameter *known = dcps_algorithm_parameters; known->flag != NULL; known++) {
        if (dcps_options_is_set(options, known->flag) && !dcps_algorithm_uses(algorithm, known->flag)) {
            return dcps_fail(DCPS_INVALID, "--%s has no effect with --algorithm %s: it needs --%s %s", known->flag,
                             dcps_options_text(options, "algorithm"), known->part, known->choices);
        }
    }
    return DCPS_OK;
}

static void override_real(const dcps_options *options, const char *flag, double *value)
{
    if (dcps_options_is_set(options, flag)) {
        *value = dcps_options_real(options, flag);
    }
}

static void override_count(const dcps_options *options, const char *flag, uint32_t *value)
{
    if (dcps_options_is_set(options, flag)) {
        *value = (uint32_t)dcps_options_integer(options, flag);
    }
}

/* Exchanges the parts of the preset that flags name. */
static dcps_status override_parts(const dcps_options *options, dcps_algorithm *algorithm)
{
    dcps_status status = DCPS_OK;
    for (const dcps_algorithm_part *part = dcps_algorithm_parts; status == DCPS_OK && part->flag != NULL; part++) {
        if (dcps_options_is_set(options, part->flag)) {
            status = part->set(algorithm, dcps_options_text(options, part->flag));
        }
    }
    return status;
}

static void override_numbers(const dcps_options *options, dcps_algorithm *algorithm)
{
    dcps_rule_config *rule = &algorithm->rule;
    uint32_t limit = 0;
    override_real(options, "lambda", &rule->lambda);
    override_real(options, "mean-square-decay", &rule->mean_square_decay);
    override_real(options, "correction-bound", &rule->correction_bound);
    override_real(options, "adadelay-offset", &rule->adadelay_offset);
    override_real(options, "momentum", &rule->momentum);
    override_real(options, "weight-decay", &rule->weight_decay);
    override_count(options, "ssp-bound", &algorithm->ssp_bound);
    override_count(options, "backup-workers", &algorithm->backup_workers);
    override_count(options, "max-staleness", &limit);
    if (limit > 0) {
        algorithm->cuts_off = true;
        algorithm->max_staleness = limit;
    }
    if (dcps_options_is_set(options, "mean-square")) {
        rule->mean_square_each_worker = strcmp(dcps_options_text(options, "mean-square"), "worker") == 0;
    }
}

static dcps_status read_algorithm(const dcps_options *options, dcps_server_config *config)
{
    dcps_algorithm *algorithm = &config->algorithm;
    dcps_status status = dcps_algorithm_preset(dcps_options_text(options, "algorithm"), algorithm);
    if (status == DCPS_OK) {
        status = override_parts(options, algorithm);
    }
    if (status == DCPS_OK) {
        status = check_overrides(options, algorithm);
    }
    if (status != DCPS_OK) {
        return status;
    }
    override_numbers(options, algorithm);
    if (strcmp(algorithm->name, "sgd") == 0 && config->workers > 1) {
        return dcps_fail(DCPS_INVALID, "--algorithm sgd trains with one worker, --workers says %u: choose ssgd or asgd",
                         config->workers);
    }
    return dcps_algorithm_check(algorithm, config->workers);
}

static dcps_status read_schedule(const dcps_options *options, dcps_server_config *config)
{
    dcps_schedule *schedule = &config->schedule;
    size_t count;
    const double *marks = dcps_options_reals(options, "decay-epochs", &count);
    if (count > DCPS_SCHEDULE_MAX_STEPS) {
        return dcps_fail(DCPS_INVALID, "--decay-epochs has %zu entries, at most %u are possible", count,
                         DCPS_SCHEDULE_MAX_STEPS);
    }
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && marks[i] <= marks[i - 1]) {
            return dcps_fail(DCPS_INVALID, "--decay-epochs must ascend: %g comes after %g", marks[i], marks[i - 1]);
        }
        schedule->decay_epochs[i] = marks[i];
    }
    schedule->decay_count = (uint32_t)count;
    schedule->base = dcps_options_real(options, "learning-rate");
    schedule->warmup_epochs = dcps_options_real(options, "warmup-epochs");
    schedule->decay_factor = dcps_options_real(options, "decay-factor");
    schedule->workers = config->workers;
    return DCPS_OK;
}

static bool is_wildcard(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* Where workers find this server: --advertise, else its entry in --servers, else where it listens. */
static dcps_status read_advertised(const dcps_options *options, const dcps_host_port *servers,
                                   dcps_server_config *config)
{
    bool listed = dcps_options_is_set(options, "servers") && servers[config->index].port != 0;
    config->advertise = (dcps_host_port){0};
    if (dcps_options_is_set(options, "advertise")) {
        dcps_status status =
            dcps_parse_host_port("--advertise", dcps_options_text(options, "advertise"), &config->advertise);
        if (status != DCPS_OK) {
            return status;
        }
    } else if (listed) {
        config->advertise = servers[config->index];
    } else {
        config->advertise = config->bind;
    }
    if (is_wildcard(config->advertise.host)) {
        return dcps_fail(
            DCPS_INVALID,
            "--bind %s listens at all addresses: say with --advertise HOST:PORT at which one workers find this server",
            dcps_options_text(options, "bind"));
    }
    return DCPS_OK;
}

static dcps_status read_addresses(const dcps_options *options, dcps_server_config *config)
{
    dcps_host_port servers[DCPS_MAX_SERVERS];
    size_t count = 1;
    dcps_status status = dcps_parse_host_port("--bind", dcps_options_text(options, "bind"), &config->bind);
    if (status == DCPS_OK && dcps_options_is_set(options, "servers")) {
        status = dcps_parse_host_ports("--servers", dcps_options_text(options, "servers"), servers, DCPS_MAX_SERVERS,
                                       &count);
    }
    if (status != DCPS_OK) {
        return status;
    }
    config->server_count = (uint32_t)count;
    if (config->index >= count) {
        return dcps_fail(DCPS_INVALID, "--index %u is beyond --servers, which lists %zu: expected 0 to %zu",
                         config->index, count, count - 1);
    }
    if (!dcps_host_is_loopback(config->bind.host) && !dcps_options_flag(options, "insecure")) {
        return dcps_fail(DCPS_INVALID,
                         "--bind %s can be reached from other machines, and this version neither encrypts nor "
                         "authenticates: bind to "
                         "127.0.0.1, or add --insecure if everyone on that network may read and change the model",
                         dcps_options_text(options, "bind"));
    }
    return read_advertised(options, servers, config);
}

static dcps_status read_snapshots(const dcps_options *options, dcps_server_config *config)
{
    const char *text = dcps_options_text(options, "snapshot-every-samples");
    if (strcmp(text, "epoch") == 0) {
        config->snapshot_every_samples = DCPS_SNAPSHOT_EVERY_EPOCH;
        return DCPS_OK;
    }
    int64_t value;
    dcps_status status = dcps_parse_integer("--snapshot-every-samples", text, &value);
    if (status != DCPS_OK || value < 0) {
        return dcps_fail(DCPS_INVALID,
                         "--snapshot-every-samples is \"%s\", expected 'epoch', 0, or a number of samples", text);
    }
    config->snapshot_every_samples = (uint64_t)value;
    return DCPS_OK;
}

static dcps_status read_checkpoints(const dcps_options *options, dcps_server_config *config)
{
    const char *resume = dcps_options_text(options, "resume");
    config->resume = strcmp(resume, "no") == 0    ? DCPS_RESUME_NO
                     : strcmp(resume, "yes") == 0 ? DCPS_RESUME_YES
                                                  : DCPS_RESUME_AUTO;
    config->checkpoint_dir = dcps_options_text(options, "checkpoint-dir");
    config->checkpoint_every_s = dcps_options_real(options, "checkpoint-every");
    if (config->checkpoint_dir != NULL && config->checkpoint_dir[0] == '\0') {
        return dcps_fail(DCPS_INVALID, "--checkpoint-dir is empty: name a folder or leave the flag out");
    }
    if (config->checkpoint_dir == NULL && config->resume != DCPS_RESUME_NO) {
        return dcps_fail(DCPS_INVALID, "--resume %s needs --checkpoint-dir", resume);
    }
    if (config->checkpoint_dir == NULL && config->checkpoint_every_s > 0) {
        return dcps_fail(DCPS_INVALID, "--checkpoint-every needs --checkpoint-dir");
    }
    return DCPS_OK;
}

static dcps_status read_traces(const dcps_options *options, dcps_server_config *config)
{
    config->record_dir = dcps_options_text(options, "record-trace");
    config->replay_dir = dcps_options_text(options, "replay-trace");
    if (config->record_dir != NULL && config->record_dir[0] == '\0') {
        return dcps_fail(DCPS_INVALID, "--record-trace is empty: name a folder or leave the flag out");
    }
    if (config->replay_dir != NULL && config->resume != DCPS_RESUME_NO) {
        return dcps_fail(DCPS_INVALID, "--replay-trace does a run from its beginning: it cannot go on from a checkpoint"
                                       " with --resume");
    }
    return DCPS_OK;
}

/* Values whose range the table has checked. */
static void read_numbers(const dcps_options *options, dcps_server_config *config)
{
    config->index = (uint32_t)dcps_options_integer(options, "index");
    config->workers = (uint32_t)dcps_options_integer(options, "workers");
    config->shards = (uint32_t)dcps_options_integer(options, "shards");
    config->epochs = (uint32_t)dcps_options_integer(options, "epochs");
    config->batch_size = (uint32_t)dcps_options_integer(options, "batch-size");
    config->seed = (uint64_t)dcps_options_integer(options, "seed");
    config->block_params = (uint32_t)dcps_options_integer(options, "block-params");
    config->lease_ms = (uint32_t)dcps_options_integer(options, "lease-ms");
    config->start_grace_ns = (uint64_t)dcps_options_integer(options, "start-grace-ms") * DCPS_NS_PER_MS;
    config->round_timeout_ns = (uint64_t)dcps_options_integer(options, "round-timeout-ms") * DCPS_NS_PER_MS;
    config->io_threads = (uint32_t)dcps_options_integer(options, "io-threads");
    config->shards_on_ipc = strcmp(dcps_options_text(options, "transport"), "ipc") == 0;
    config->log_json = strcmp(dcps_options_text(options, "log-format"), "json") == 0;
    config->log_level = dcps_log_level_named(dcps_options_text(options, "log-level"));
}

/* Appends to text[used…]; returns the new length, DCPS_MAX_TEXT_BYTES once something did not fit. Numbers have all digits that a person is likely to give, so that different settings have different texts. */
static size_t append(char text[DCPS_MAX_TEXT_BYTES], size_t used, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static size_t append(char text[DCPS_MAX_TEXT_BYTES], size_t used, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text + used, DCPS_MAX_TEXT_BYTES - used, format, arguments);
    va_end(arguments);
    size_t end = used + (length > 0 ? (size_t)length : 0);
    return end < DCPS_MAX_TEXT_BYTES ? end : DCPS_MAX_TEXT_BYTES;
}

/* What gradients go through, with the numbers that matter. */
static size_t describe_rule(const dcps_algorithm *algorithm, char text[DCPS_MAX_TEXT_BYTES], size_t used)
{
    const dcps_rule_config *rule = &algorithm->rule;
    const char *separator = ", compensation ";
    const dcps_compensation chain[] = {rule->compensation, rule->then};
    for (size_t i = 0; i < sizeof(chain) / sizeof(chain[0]); i++) {
        if (chain[i] != 0 && chain[i] != DCPS_COMPENSATE_NONE) {
            used = append(text, used, "%s%s", separator, dcps_compensation_name(chain[i]));
            separator = ",";
        }
    }
    const struct {
        const char *parameter;
        double value;
    } numbers[] = {{"lambda", rule->lambda},
                   {"mean-square-decay", rule->mean_square_decay},
                   {"correction-bound", rule->correction_bound},
                   {"adadelay-offset", rule->adadelay_offset},
                   {"momentum", rule->momentum}};
    if (dcps_algorithm_uses(algorithm, "mean-square") && rule->mean_square_each_worker) {
        used = append(text, used, ", mean-square of each worker");
    }
    if (rule->step_size != DCPS_STEP_CONSTANT) {
        used = append(text, used, ", step size %s", dcps_step_size_name(rule->step_size));
    }
    used = append(text, used, ", optimizer %s", dcps_optimizer_name(rule->optimizer));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (dcps_algorithm_uses(algorithm, numbers[i].parameter)) {
            used = append(text, used, ", %s %.15g", numbers[i].parameter, numbers[i].value);
        }
    }
    return append(text, used, ", weight decay %.15g", rule->weight_decay);
}

static size_t describe_consistency(const dcps_algorithm *algorithm, char text[DCPS_MAX_TEXT_BYTES], size_t used)
{
    used = append(text, used, ", consistency %s", dcps_consistency_name(algorithm->consistency));
    if (algorithm->consistency == DCPS_CONSISTENCY_SSP) {
        used = append(text, used, ", ssp bound %u", algorithm->ssp_bound);
    }
    if (algorithm->backup_workers > 0) {
        used = append(text, used, ", backup workers %u", algorithm->backup_workers);
    }
    if (algorithm->cuts_off && algorithm->max_staleness > 0) {
        used = append(text, used, ", largest staleness %llu", (unsigned long long)algorithm->max_staleness);
    } else if (algorithm->cuts_off) {
        used = append(text, used, ", largest staleness twice the workers");
    }
    return used;
}

/* A text that was cut would hide how servers differ. Only the epochs of the schedule have no bound of their own that keeps it short. */
static dcps_status describe(dcps_server_config *config)
{
    const dcps_schedule *schedule = &config->schedule;
    char *text = config->settings;
    size_t used = append(text, 0, "algorithm %s, learning rate %.15g", config->algorithm.name, schedule->base);
    if (schedule->warmup_epochs > 0) {
        used = append(text, used, ", warm-up %.15g epochs", schedule->warmup_epochs);
    }
    for (uint32_t i = 0; i < schedule->decay_count; i++) {
        used = append(text, used, "%s%.15g", i == 0 ? ", decay after " : ",", schedule->decay_epochs[i]);
    }
    if (schedule->decay_count > 0) {
        used = append(text, used, " by %.15g", schedule->decay_factor);
    }
    used = describe_consistency(&config->algorithm, text, used);
    used = describe_rule(&config->algorithm, text, used);
    if (used == DCPS_MAX_TEXT_BYTES) {
        return dcps_fail(
            DCPS_LIMIT,
            "--decay-epochs: its %u epochs make the description of this run, which programs compare, longer "
            "than %u bytes: give fewer or shorter ones",
            schedule->decay_count, DCPS_MAX_TEXT_BYTES - 1u);
    }
    return DCPS_OK;
}

dcps_status dcps_server_config_read(const dcps_options *options, dcps_server_config *config)
{
    dcps_server_config made = {0};
    read_numbers(options, &made);
    if (made.block_params % DCPS_LAYOUT_ALIGN_PARAMS != 0) {
        return dcps_fail(DCPS_INVALID, "--block-params is %u, expected a multiple of %u", made.block_params,
                         DCPS_LAYOUT_ALIGN_PARAMS);
    }
    dcps_status (*const readers[])(const dcps_options *, dcps_server_config *) = {
        read_addresses, read_algorithm, read_schedule, read_snapshots, read_checkpoints, read_traces};
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
        dcps_status status = readers[i](options, &made);
        if (status != DCPS_OK) {
            return status;
        }
    }
    dcps_status status = describe(&made);
    if (status == DCPS_OK) {
        *config = made;
    }
    return status;
}
