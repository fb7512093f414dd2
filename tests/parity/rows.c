#include "parity/parity.h"

static const parity_table *const tables[] = {&parity_basic, &parity_elementwise, &parity_shape, &parity_images,
                                             &parity_sequence};
#define TABLE_COUNT (sizeof(tables) / sizeof(tables[0]))

size_t parity_row_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        count += tables[i]->count;
    }
    return count;
}

const parity_row *parity_row_at(size_t index)
{
    size_t i = 0;
    for (; index >= tables[i]->count; i++) {
        index -= tables[i]->count;
    }
    return &tables[i]->rows[index];
}
