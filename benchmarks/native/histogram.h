/* A log-linear histogram: each power of two is cut into 128 equal parts, so a value read from it is at most 0.8 % too
 * large. Recording costs a few instructions and nothing is allocated, however long the measurement. */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

enum { PART_BITS = 7, PARTS = 1 << PART_BITS, POWERS = 64 - PART_BITS, BUCKETS = (POWERS + 1) * PARTS };

struct histogram {
    uint64_t count, largest;
    uint64_t buckets[BUCKETS];
};

static inline void histogram_record(struct histogram *histogram, uint64_t value)
{
    int power = value < PARTS ? 0 : 64 - PART_BITS - __builtin_clzll(value); /* values below PARTS are exact */
    uint64_t part = power == 0 ? value : (value >> (power - 1)) - PARTS;
    histogram->buckets[(uint64_t)power * PARTS + part]++;
    histogram->count++;
    if (value > histogram->largest)
        histogram->largest = value;
}

/* The value that `share` of all values are not above; 0 if there are none. */
static inline uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
    uint64_t rank = (uint64_t)(share * (double)histogram->count), passed = 0;
    for (uint64_t bucket = 0; bucket < BUCKETS; bucket++) {
        passed += histogram->buckets[bucket];
        if (passed > rank) {
            uint64_t power = bucket / PARTS, part = bucket % PARTS;
            uint64_t highest = power == 0 ? part : ((part + PARTS + 1) << (power - 1)) - 1;
            return highest < histogram->largest ? highest : histogram->largest;
        }
    }
    return histogram->largest;
}

#endif
