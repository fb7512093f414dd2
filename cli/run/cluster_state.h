/* Inside of a running cluster, shared by the cluster_*.c files only. */
#ifndef DCPS_CLI_CLUSTER_STATE_H
#define DCPS_CLI_CLUSTER_STATE_H

#include "base/text.h"
#include "cli/run/cluster.h"
#include "cli/run/monitor.h"
#include "cli/run/worker_report.h"
#include "proto/limits.h"

typedef struct dcps_cluster dcps_cluster;

typedef enum dcps_member_kind { DCPS_MEMBER_SERVER = 1, DCPS_MEMBER_WORKER, DCPS_MEMBER_EVALUATOR } dcps_member_kind;

/* A process that the cluster wants to have, whether it runs now or not. */
typedef struct dcps_member {
    dcps_cluster *cluster;
    dcps_member_kind kind;
    uint32_t index; /* among its kind */
    char name[32];
    dcps_args args;
    dcps_process *process; /* NULL before the start and after an end that was dealt with */
    bool listening;        /* a server has said so since its latest start */
    uint64_t listening_ns; /* … when, last */
    bool finished;         /* ended with code 0 */
    bool abandoned;        /* died too often */
    uint32_t restarts;
    uint64_t restart_at_ns; /* 0: none is due */
    uint64_t warned_ns;     /* of its silence, last */
    bool reported;          /* a worker, at its end: */
    dcps_worker_report report;
} dcps_member;

struct dcps_cluster {
    const dcps_cluster_config *config;
    dcps_result_run *run;
    char *dataset;
    dcps_monitor *monitor; /* NULL until the servers listen */
    dcps_run_progress progress;
    dcps_host_port addresses[DCPS_MAX_SERVERS];
    char *servers_text;   /* "host:port,…" */
    dcps_member *members; /* servers, then workers, then the evaluator */
    uint32_t member_count;
    bool stopping;      /* exits are expected */
    bool port_taken;    /* a server could not listen because of that */
    uint64_t evaluated; /* epochs up to the last snapshot evaluated */
    dcps_status failed; /* first failure; its text below */
    char failure[512];
    uint64_t turned_ns; /* when we last looked at the clock */
    uint64_t woke_ns;   /* when this process last went on after standing still; 0: never */
    uint64_t moved_ns;  /* when samples or points last grew */
    uint64_t moved_samples;
    uint64_t worked_ns; /* when a worker last had something to do */
    uint64_t rate_ns;   /* anchor of the speed shown */
    uint64_t rate_samples;
    uint64_t first_ns; /* … and of the time left */
    uint64_t first_samples;
    double rate; /* samples/s, smoothed; 0 unknown */
};

dcps_member *dcps_cluster_server(dcps_cluster *cluster, uint32_t index);
dcps_member *dcps_cluster_worker(dcps_cluster *cluster, uint32_t index);
/* NULL when nothing is to be evaluated. */
dcps_member *dcps_cluster_evaluator(dcps_cluster *cluster);

/* Remembers the first failure. Returns `status`. */
dcps_status dcps_cluster_fail(dcps_cluster *cluster, dcps_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- cluster_start.c ---- */

/* Starts the servers on free ports and waits until all listen. */
DCPS_MUST_CHECK dcps_status dcps_cluster_start_servers(dcps_cluster *cluster);
/* Writes the argument list of a member, starts it. A failure is remembered in the cluster, too. */
dcps_status dcps_cluster_start_member(dcps_cluster *cluster, dcps_member *member);

/* ---- cluster_watch.c ---- */

/* Waits at most `timeout_ms` for news and deals with it: output, exits, restarts due, silence, Ctrl-C. The cluster's failure, if any; DCPS_CANCELLED. */
DCPS_MUST_CHECK dcps_status dcps_cluster_turn(dcps_cluster *cluster, int timeout_ms);
/* How long we have waited since then. The time in which this process stood still, stopped by Ctrl-Z or with the machine, proves nothing: patience begins anew after it. */
uint64_t dcps_cluster_waited_ns(const dcps_cluster *cluster, uint64_t since_ns);
/* Output of a member: dcps_process_line_fn. */
void dcps_cluster_take_line(void *context, dcps_process *process, dcps_stream stream, const char *line);

/* ---- cluster_show.c ---- */

/* Draws the live line. */
void dcps_cluster_show(dcps_cluster *cluster);

#endif
