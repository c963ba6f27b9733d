/* Coverage for the fuzzer: code compiled with -fsanitize-coverage=trace-pc calls this at each basic block.
 *
 * An edge is a pair of blocks; its number is a hash of their addresses. Preloaded, so that the module under test and the
 * fuzzer find the same one. Single-threaded.
 */
#include <stddef.h>
#include <stdint.h>

#define EDGES (1 << 16)
#define MOST_TOUCHED 4096

uint8_t coverage_hits[EDGES];
uint32_t coverage_touched[MOST_TOUCHED];
size_t coverage_touched_count;
static uint8_t seen[EDGES]; /* a bit for each magnitude of hits */
static uintptr_t before;

void __sanitizer_cov_trace_pc(void) {
    uintptr_t here = (uintptr_t)__builtin_return_address(0);
    size_t edge = ((here * 0x9E3779B97F4A7C15u >> 40) ^ before) & (EDGES - 1);
    before = (here * 0x9E3779B97F4A7C15u >> 41);
    if (coverage_hits[edge] == 0) {
        if (coverage_touched_count == MOST_TOUCHED) return;
        coverage_touched[coverage_touched_count++] = (uint32_t)edge;
    }
    if (coverage_hits[edge] != 255) coverage_hits[edge]++;
}

/* Forget the last execution. */
void coverage_begin(void) {
    for (size_t index = 0; index < coverage_touched_count; index++) coverage_hits[coverage_touched[index]] = 0;
    coverage_touched_count = 0;
    before = 0;
}

/* How many edges, or magnitudes of hits, were never seen before this execution. */
size_t coverage_news(void) {
    size_t news = 0;
    for (size_t index = 0; index < coverage_touched_count; index++) {
        uint32_t edge = coverage_touched[index], hits = coverage_hits[edge];
        uint8_t magnitude = hits == 1 ? 1 : hits == 2 ? 2 : hits == 3 ? 4 : hits < 8 ? 8 : hits < 16 ? 16 : hits < 32 ? 32 : hits < 128 ? 64 : 128;
        if (!(seen[edge] & magnitude)) {
            seen[edge] |= magnitude;
            news++;
        }
    }
    return news;
}

/* How many edges were ever seen. */
size_t coverage_edges(void) {
    size_t edges = 0;
    for (size_t edge = 0; edge < EDGES; edge++) edges += seen[edge] != 0;
    return edges;
}
