/* A client of a small model, with vectors of its own. */
#ifndef DCPS_TESTS_SUPPORT_CLIENT_FIXTURE_H
#define DCPS_TESTS_SUPPORT_CLIENT_FIXTURE_H

#include "dcps/client.h"

/* The model: "a" [20, 16] at 0 and "b" [5] at 320, padded to 336 parameters. */
#define FIXTURE_PARAMS 336u
#define FIXTURE_B_AT 320u

typedef struct client_fixture {
    dcps_client *client;
    dcps_layout *layout;
    float *weights;  /* initially 1, 2, 3, … */
    float *gradient; /* initially 0 */
    dcps_work work;
} client_fixture;

/* Connects; timeout_ms as in dcps_client_config. */
void client_fixture_connect(client_fixture *self, const char *servers, bool observer, uint32_t timeout_ms);
/* Without a connection. */
void client_fixture_vectors(client_fixture *self);
/* Declares the model, with `samples_per_epoch`. */
void client_fixture_declare(client_fixture *self, uint64_t samples_per_epoch);
/* One step: the gradient of every parameter is `value`, over one sample. */
void client_fixture_step(client_fixture *self, float value);
void client_fixture_close(client_fixture *self);

/* The latest failure's text has these words. */
void client_fixture_says(const char *words);

#endif
