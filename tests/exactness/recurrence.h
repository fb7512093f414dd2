/* Parameter servers of one parameter in double precision, written from the published recurrences and, where there is one, in another form than the code under test:
 * averages as weighted sums over all past updates, ordered momentum from the list of all gradients, Nesterov's with its two sequences. They also know mistakes. */
#ifndef DCPS_TESTS_RECURRENCE_H
#define DCPS_TESTS_RECURRENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "compensate/rule.h"

enum { RECURRENCE_WORKERS = 4, RECURRENCE_UPDATES = 40 };

typedef enum recurrence_mistake {
    RECURRENCE_RIGHT,
    BAK_SHARED,         /* one w_bak for all workers */
    BAK_ZERO,           /* w_bak starts at zero */
    BAK_AT_PUSH,        /* w_bak taken at the push: no drift at all */
    BAK_IS_WEIGHTS,     /* look-ahead: w_bak is the weights and not what was sent */
    LAMBDA_ONE,         /* whatever was asked for */
    BOUND_MISSING,      /* dc-b: not clamped */
    BOUND_ABSOLUTE,     /* dc-b: the correction itself is clamped, not its ratio to the gradient */
    ROOT_MISSING,       /* dc-b: divided by s+ε */
    SQUARE_OF_ALL,      /* one mean square for all workers where each has its own */
    SQUARE_OF_EACH,     /* one for each worker where there is one for all */
    GAP_SIGNED,         /* gap-aware: without the absolute value */
    GAP_UNCORRECTED,    /* gap-aware: the average not divided by 1 − ρ^t */
    GAP_OF_GRADIENT,    /* gap-aware: averages what was pushed and not the step taken */
    GAP_OF_RATE_NOW,    /* gap-aware: η in the place of η_max */
    GAP_AFTER_STEP,     /* gap-aware: the average already knows this step */
    CHAIN_TURNED,       /* the second compensation before the first */
    STALENESS_PLUS_ONE, /* η/(τ+1) */
    STALENESS_UNUSED,   /* τ always 0 */
    SUM_NOT_MEAN,       /* adadelay: c² without 1/t */
    WEIGHTS_MISSING,    /* adadelay: c² without s/(s+τ_s) */
    HEAVY_BALL,         /* nesterov, ormo: plain momentum */
    LOOKAHEAD_MISSING,  /* dana: replies show the weights */
    LOOKAHEAD_OWN,      /* dana: only the worker's own velocity ahead */
    LOOKAHEAD_OF_NOW,   /* dana: η of the update that is answered in the place of the next */
    VELOCITY_SHARED,    /* dana: one velocity for all */
    SUM_OF_PUSHES,      /* dana: the whole new velocity added to the sum instead of its change */
    LAG_IGNORED,        /* ormo: every gradient in the current bucket */
    BUCKET_AT_REPLY,    /* ormo: a bucket begins with the reply before it */
    BUCKET_OF_ONE,      /* ormo: buckets of one gradient */
    DROP_IGNORED,       /* cut-off: what is too late is applied */
    DROP_WITHOUT_PULL,  /* cut-off: whose gradient was dropped is sent new weights and held against its old ones */
    HOLD_IGNORED,       /* ssp: everybody is answered at once */
    ROUND_OF_LATE,      /* bsp: what is late for its round is applied */
    ROUND_SUMMED,       /* bsp: the sum of the gradients */
    ROUND_OF_ALL,       /* bsp: their sum over the number of all workers */
    ROUND_IS_BATCH,     /* bsp: a round counts as one mini-batch in the schedule */
} recurrence_mistake;

typedef struct recurrence_update {
    uint32_t worker;
    uint64_t issued;  /* updates seen by the weights that it was computed at */
    double gradient;  /* as pushed */
    double scaled;    /* as the optimizer got it */
    double direction; /* of the step taken, over η */
    double rate;
} recurrence_update;

typedef struct recurrence {
    const dcps_rule_config *rule;
    recurrence_mistake mistake;
    double rate_max;
    uint64_t cut_off; /* gradients so late are dropped; 0: none */
    double initial;
    double weight;
    double velocity[RECURRENCE_WORKERS]; /* [0] where there is one for all */
    double sum;                          /* dana with the mistake */
    double shown[RECURRENCE_WORKERS];    /* to each worker */
    double bak[RECURRENCE_WORKERS];
    uint64_t pulled[RECURRENCE_WORKERS];
    bool dropped[RECURRENCE_WORKERS]; /* its latest gradient */
    recurrence_update past[RECURRENCE_UPDATES];
    double squares[2][RECURRENCE_UPDATES]; /* of what came into each stage of the chain */
    uint64_t count;
} recurrence;

/* All workers have pulled `weight`. `rate_max` is the largest η to come. Nothing is cut off unless the caller says so. */
void recurrence_begin(recurrence *self, const dcps_rule_config *rule, recurrence_mistake mistake, double weight,
                      double rate_max);
/* Shows the weights to a worker; `next_rate`: η of the next update. */
void recurrence_pull(recurrence *self, uint32_t worker, double next_rate);
/* One push, which is answered by a pull. */
void recurrence_apply(recurrence *self, uint32_t worker, double gradient, double rate);
/* Both. `next_rate`: η of the push after it. */
void recurrence_push(recurrence *self, uint32_t worker, double gradient, double rate, double next_rate);

#endif
