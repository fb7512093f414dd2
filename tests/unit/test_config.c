/* What dcps-server makes of its flags. */
#include "server/config.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "support/check_main.h"

/* Up to six assignments, ended by NULL. */
typedef struct flags {
    const char *items[12];
} flags;

static dcps_options *options;

static dcps_status read_flags(flags given, dcps_server_config *config)
{
    size_t count = 0;
    while (given.items[count] != NULL) {
        count++;
    }
    dcps_status status =
        dcps_options_from_assignments("dcps-server", dcps_server_program.options, given.items, count, &options);
    return status == DCPS_OK ? dcps_server_config_read(options, config) : status;
}

static void accept(flags given, dcps_server_config *config)
{
    dcps_status status = read_flags(given, config);
    ck_assert_msg(status == DCPS_OK, "%s", dcps_error_message());
}

/* Refused, and the text names each of the words. */
static void refuse(flags given, const char *word, const char *other)
{
    dcps_server_config config = {.index = 77};
    dcps_status status = read_flags(given, &config);
    ck_assert_msg(status == DCPS_INVALID || status == DCPS_NOT_FOUND || status == DCPS_LIMIT, "taken: %s",
                  given.items[0]);
    ck_assert_msg(strstr(dcps_error_message(), word) != NULL, "no \"%s\" in: %s", word, dcps_error_message());
    ck_assert_msg(strstr(dcps_error_message(), other) != NULL, "no \"%s\" in: %s", other, dcps_error_message());
    ck_assert_uint_eq(config.index, 77);
    dcps_options_destroy(&options);
}

START_TEST(defaults_make_a_server_of_its_own)
{
    dcps_server_config config;
    accept((flags){{NULL}}, &config);
    ck_assert_str_eq(config.bind.host, "127.0.0.1");
    ck_assert_uint_eq(config.bind.port, 0);
    ck_assert_str_eq(config.advertise.host, "127.0.0.1");
    ck_assert_uint_eq(config.index, 0);
    ck_assert_uint_eq(config.server_count, 1);
    ck_assert_str_eq(config.algorithm.name, "asgd");
    ck_assert_uint_eq(config.lease_ms, 4000);
    ck_assert_uint_eq(config.round_timeout_ns, 0);
    ck_assert_uint_eq(config.snapshot_every_samples, 0);
    ck_assert(config.resume == DCPS_RESUME_NO);
    ck_assert_ptr_null(config.checkpoint_dir);
    dcps_options_destroy(&options);
}
END_TEST

START_TEST(overrides_replace_the_preset_only_where_given)
{
    dcps_server_config config;
    accept((flags){{"algorithm=dc-asgd-a", "lambda=0.5", "round-timeout-ms=1500", NULL}}, &config);
    ck_assert_uint_eq(config.round_timeout_ns, 1500 * DCPS_NS_PER_MS);
    ck_assert(config.algorithm.rule.compensation == DCPS_COMPENSATE_DC_A);
    ck_assert(config.algorithm.rule.lambda == 0.5);
    ck_assert(config.algorithm.rule.mean_square_decay == 0.95);
    dcps_options_destroy(&options);
    accept((flags){{"algorithm=ssp", "ssp-bound=7", "workers=3", "optimizer=momentum", "weight-decay=0.0001", NULL}},
           &config);
    ck_assert_uint_eq(config.algorithm.ssp_bound, 7);
    ck_assert(config.algorithm.rule.optimizer == DCPS_OPTIMIZER_MOMENTUM);
    ck_assert(config.algorithm.rule.momentum == 0.9);
    ck_assert(config.algorithm.rule.weight_decay == 0.0001);
    ck_assert_uint_eq(config.schedule.workers, 3);
    dcps_options_destroy(&options);
}
END_TEST

START_TEST(parts_are_exchanged_and_described)
{
    dcps_server_config config;
    accept((flags){{"algorithm=asgd", "workers=4", "consistency=ssp", "ssp-bound=5", "compensation=dc-b,gap-aware",
                    "lambda=512", "correction-bound=0.5", "mean-square=worker", "step-size=staleness",
                    "optimizer=nesterov", "max-staleness=9", NULL}},
           &config);
    const dcps_rule_config *rule = &config.algorithm.rule;
    ck_assert(config.algorithm.consistency == DCPS_CONSISTENCY_SSP && config.algorithm.ssp_bound == 5);
    ck_assert(rule->compensation == DCPS_COMPENSATE_DC_B && rule->then == DCPS_COMPENSATE_GAP_AWARE);
    ck_assert(rule->lambda == 512.0 && rule->correction_bound == 0.5 && rule->mean_square_decay == 0.95);
    ck_assert(rule->mean_square_each_worker && rule->step_size == DCPS_STEP_STALENESS);
    ck_assert(rule->optimizer == DCPS_OPTIMIZER_NESTEROV && rule->momentum == 0.9);
    ck_assert(config.algorithm.cuts_off && config.algorithm.max_staleness == 9);
    const char *text = config.settings;
    static const char *const words[] = {"ssp bound 5",          "largest staleness 9", "dc-b,gap-aware", "lambda 512",
                                        "correction-bound 0.5", "of each worker",      "staleness",      "nesterov",
                                        "momentum 0.9"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        ck_assert_msg(strstr(text, words[i]) != NULL, "no \"%s\" in: %s", words[i], text);
    }
    dcps_options_destroy(&options);
    accept((flags){{"algorithm=ssgd", "workers=4", "backup-workers=2", NULL}}, &config);
    ck_assert_uint_eq(config.algorithm.backup_workers, 2);
    dcps_options_destroy(&options);
    /* What does the same has the same words. */
    static const char *const same[] = {"compensation=gap-aware", "compensation=none,gap-aware",
                                       "compensation=gap-aware,none"};
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        accept((flags){{"algorithm=asgd", "workers=4", same[i], NULL}}, &config);
        ck_assert_msg(strstr(config.settings, ", compensation gap-aware, optimizer") != NULL, "%s", config.settings);
        dcps_options_destroy(&options);
    }
}
END_TEST

START_TEST(schedule_and_snapshots)
{
    dcps_server_config config;
    accept((flags){{"learning-rate=0.5", "decay-epochs=80,120", "decay-factor=0.2", "warmup-epochs=5",
                    "snapshot-every-samples=epoch", NULL}},
           &config);
    ck_assert(config.schedule.base == 0.5);
    ck_assert_uint_eq(config.schedule.decay_count, 2);
    ck_assert(config.schedule.decay_epochs[0] == 80.0);
    ck_assert(config.schedule.decay_epochs[1] == 120.0);
    ck_assert(config.schedule.decay_factor == 0.2);
    ck_assert(config.schedule.warmup_epochs == 5.0);
    ck_assert(config.snapshot_every_samples == DCPS_SNAPSHOT_EVERY_EPOCH);
    dcps_options_destroy(&options);
    accept((flags){{"snapshot-every-samples=60000", NULL}}, &config);
    ck_assert_uint_eq(config.snapshot_every_samples, 60000);
    dcps_options_destroy(&options);
}
END_TEST

/* What workers compare names the whole of the algorithm, or the server does not start. */
START_TEST(description_is_never_cut)
{
    char epochs[2048] = "decay-epochs=0.12345678901235";
    dcps_server_config config;
    size_t used = strlen(epochs);
    for (int epoch = 1; epoch < 41; epoch++) {
        used += (size_t)snprintf(epochs + used, sizeof(epochs) - used, ",%d.1234567890123", epoch);
    }
    accept((flags){{"algorithm=dc-asgd-c", epochs, NULL}}, &config);
    ck_assert_msg(strstr(config.settings, "40.1234567890123 by 0.1, ") != NULL, "%s", config.settings);
    ck_assert_msg(strstr(config.settings, ", weight decay 0") != NULL, "%s", config.settings);
    dcps_options_destroy(&options);
    for (int epoch = 41; epoch < 60; epoch++) {
        used += (size_t)snprintf(epochs + used, sizeof(epochs) - used, ",%d.1234567890123", epoch);
    }
    refuse((flags){{"algorithm=dc-asgd-c", epochs, NULL}}, "--decay-epochs", "60");
}
END_TEST

START_TEST(flags_without_effect_are_refused_by_name)
{
    refuse((flags){{"algorithm=asgd", "ssp-bound=3", NULL}}, "--ssp-bound", "asgd");
    refuse((flags){{"algorithm=ssgd", "lambda=1", NULL}}, "--lambda", "ssgd");
    refuse((flags){{"algorithm=dc-asgd-c", "mean-square-decay=0.9", NULL}}, "--mean-square-decay", "dc-asgd-c");
    refuse((flags){{"algorithm=asgd", "momentum=0.5", NULL}}, "--momentum", "--optimizer momentum");
    refuse((flags){{"algorithm=asgd", "optimizer=sgd", "momentum=0.5", NULL}}, "--momentum", "--optimizer momentum");
    refuse((flags){{"algorithm=sgd", "workers=4", NULL}}, "sgd", "4");
    refuse((flags){{"algorithm=asgd", "backup-workers=1", "workers=4", NULL}}, "--backup-workers", "bsp");
    refuse((flags){{"algorithm=ssgd", "max-staleness=4", NULL}}, "--max-staleness", "asp");
    refuse((flags){{"algorithm=dc-asgd-a", "correction-bound=1", NULL}}, "--correction-bound", "dc-b");
    refuse((flags){{"algorithm=dc-asgd-c", "correction-bound=1", NULL}}, "--correction-bound", "dc-i");
    refuse((flags){{"algorithm=dc-asgd-i", "mean-square-decay=0.9", NULL}}, "--mean-square-decay", "dc-asgd-i");
    refuse((flags){{"algorithm=asgd", "compensation=dc-i,dc-b", NULL}}, "dc-b", "twice");
    refuse((flags){{"algorithm=dana-zero", "optimizer=sgd", "momentum=0.5", NULL}}, "--momentum", "dana-zero");
    refuse((flags){{"algorithm=asgd", "adadelay-offset=2", NULL}}, "--adadelay-offset", "adadelay");
    refuse((flags){{"algorithm=asgd", "compensation=dc-a,dc-c", NULL}}, "dc-c", "twice");
    refuse((flags){{"algorithm=asgd", "compensation=dcc", NULL}}, "dcc", "gap-aware");
    refuse((flags){{"algorithm=dana-dc", "consistency=bsp", "workers=4", NULL}}, "momentum", "asp or ssp");
    refuse((flags){{"algorithm=ssgd", "backup-workers=4", "workers=4", NULL}}, "4 backup workers", "at most 3");
    refuse((flags){{"algorithm=addgrad", NULL}}, "addgrad", "dc-asgd-a");
    refuse((flags){{"resume=yes", NULL}}, "--resume", "--checkpoint-dir");
    refuse((flags){{"checkpoint-every=5", NULL}}, "--checkpoint-every", "--checkpoint-dir");
    refuse((flags){{"replay-trace=/t", "checkpoint-dir=/c", "resume=auto", NULL}}, "--replay-trace", "--resume");
    refuse((flags){{"record-trace=", NULL}}, "--record-trace", "empty");
}
END_TEST

START_TEST(values_out_of_range_are_refused_by_name)
{
    refuse((flags){{"decay-epochs=8,4", NULL}}, "--decay-epochs", "ascend");
    refuse((flags){{"block-params=1001", NULL}}, "--block-params", "16");
    refuse((flags){{"snapshot-every-samples=-1", NULL}}, "--snapshot-every-samples", "-1");
    refuse((flags){{"snapshot-every-samples=daily", NULL}}, "--snapshot-every-samples", "daily");
    refuse((flags){{"index=2", "servers=a:1,b:2", NULL}}, "--index 2", "0 to 1");
    refuse((flags){{"servers=a:1,b:x", NULL}}, "--servers", "b:x");
    refuse((flags){{"bind=127.0.0.1", NULL}}, "--bind", "127.0.0.1");
    refuse((flags){{"lease-ms=5", NULL}}, "lease-ms", "200");
    refuse((flags){{"round-timeout-ms=-1", NULL}}, "round-timeout-ms", "0");
}
END_TEST

START_TEST(other_machines_need_insecure)
{
    dcps_server_config config;
    refuse((flags){{"bind=10.0.0.7:7070", NULL}}, "10.0.0.7:7070", "--insecure");
    refuse((flags){{"bind=0.0.0.0:7070", "advertise=10.0.0.7:0", NULL}}, "0.0.0.0:7070", "--insecure");
    refuse((flags){{"bind=0.0.0.0:7070", "insecure=true", NULL}}, "0.0.0.0:7070", "--advertise");
    accept((flags){{"bind=0.0.0.0:7070", "insecure=true", "advertise=10.0.0.7:0", NULL}}, &config);
    ck_assert_str_eq(config.advertise.host, "10.0.0.7");
    ck_assert_uint_eq(config.advertise.port, 0);
    dcps_options_destroy(&options);
}
END_TEST

START_TEST(the_list_of_servers_tells_who_we_are)
{
    dcps_server_config config;
    accept((flags){{"bind=0.0.0.0:7071", "insecure=true", "servers=one:7070,two:7071", "index=1", NULL}}, &config);
    ck_assert_uint_eq(config.server_count, 2);
    ck_assert_uint_eq(config.index, 1);
    ck_assert_str_eq(config.advertise.host, "two");
    ck_assert_uint_eq(config.advertise.port, 7071);
    dcps_options_destroy(&options);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {defaults_make_a_server_of_its_own,
                                  overrides_replace_the_preset_only_where_given,
                                  parts_are_exchanged_and_described,
                                  schedule_and_snapshots,
                                  description_is_never_cut,
                                  flags_without_effect_are_refused_by_name,
                                  values_out_of_range_are_refused_by_name,
                                  other_machines_need_insecure,
                                  the_list_of_servers_tells_who_we_are};
    return CHECK_MAIN("server config", tests);
}
