/* Small data sets in the form of the published ones, for tests of models that open them by name. */
#ifndef DCPS_TESTS_SUPPORT_DATA_FIXTURE_H
#define DCPS_TESTS_SUPPORT_DATA_FIXTURE_H

#include <stdint.h>

#include "support/temp_folder.h"

/* cifar10 of the published size: image i of every file is of class i mod 10, and all images of a class are the same noise. */
void fixture_cifar10(const temp_folder *folder);
/* ptb of about `words` words, for training, validation and test alike: numbers below `vocabulary` − 1 as words, and <eos>, all of which occur. */
void fixture_ptb(const temp_folder *folder, uint32_t vocabulary, uint32_t words);

#endif
