/* A load generator: many connections in a closed loop, every reply checked, one thread, one JSON object as the result.
 * `load --help` tells the options. It warms up, measures, then sends no more and waits for what is under way, so that
 * a reply that never comes is noticed. Every wait is bounded. */
#include <inttypes.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "connect.h"
#include "cpu.h"
#include "crc.h"
#include "die.h"
#include "moment.h"
#include "options.h"
#include "peer.h"

enum { EVENTS = 1024 };
static const uint64_t QUIET_LIMIT = 10; /* seconds without any reply after which the load gives up */

struct load {
    int epoll, peer_count;
    struct peer *peers;
    struct traffic *fast, *beside; /* `beside` is NULL without such connections */
    struct failures failures;
    uint64_t last_reply, spin_ns;
};

struct measured {
    uint64_t ns, server_cpu, own_cpu; /* at the begin, and after `measure` what has passed since */
};

static void open_all(struct load *load, const struct options *options)
{
    load->peer_count = options->connections + options->beside;
    need_descriptors(load->peer_count);
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->fast = traffic_new(options->id, options->body_size, options->depth);
    load->beside = options->beside ? traffic_new(options->beside_id, options->body_size, 1) : NULL;
    load->peers = must_have(calloc((size_t)load->peer_count, sizeof *load->peers));
    for (int number = 0; number < load->peer_count; number++)
        peer_open(&load->peers[number], number, &options->address, load->epoll,
                  number < options->connections ? load->fast : load->beside, &load->failures);
}

static uint64_t waited_for(const struct load *load)
{
    uint64_t messages = 0;
    for (int number = 0; number < load->peer_count; number++)
        messages += peer_waits_for(&load->peers[number]);
    return messages;
}

static bool all_ended(const struct load *load)
{
    for (int number = 0; number < load->peer_count; number++)
        if (!load->peers[number].ended)
            return false;
    return true;
}

/* One wait and what came of it; `last_sent`: nothing new is sent. Returns the time after it. */
static uint64_t turn(struct load *load, uint64_t until, bool last_sent)
{
    struct epoll_event events[EVENTS];
    uint64_t now = now_ns();
    bool spinning = now - load->last_reply < load->spin_ns;
    int wait_ms = until > now && !spinning ? (int)((until - now) / 1000000) : 0;
    int count = epoll_wait(load->epoll, events, EVENTS, wait_ms);
    uint32_t replies = 0;
    for (int number = 0; number < count; number++) {
        struct peer *peer = events[number].data.ptr;
        if (events[number].events & EPOLLOUT)
            peer_send(peer);
        if (events[number].events & ~EPOLLOUT)
            replies += peer_receive(peer, last_sent);
    }
    now = now_ns();
    if (replies > 0)
        load->last_reply = now;
    return now;
}

/* Keep the loop going for so long. Returns whether it makes sense to go on. */
static bool keep_going(struct load *load, double seconds)
{
    uint64_t now = now_ns(), end = now + (uint64_t)(seconds * (double)SECOND);
    while (now < end) {
        now = turn(load, end, false);
        if (load->failures.count > 0 && all_ended(load))
            return false;
        if (now - load->last_reply > QUIET_LIMIT * SECOND)
            return false; /* what is missing is counted by `finish` */
    }
    return true;
}

/* Send no more, and wait for what is under way. */
static void finish(struct load *load)
{
    while (waited_for(load) > 0)
        if (turn(load, load->last_reply + QUIET_LIMIT * SECOND, true) - load->last_reply > QUIET_LIMIT * SECOND)
            break;
    uint64_t missing = waited_for(load);
    if (missing > 0 && load->failures.count == 0)
        snprintf(load->failures.first, sizeof load->failures.first,
                 "%" PRIu64 " replies did not come within %" PRIu64 " seconds", missing, QUIET_LIMIT);
    load->failures.count += missing;
}

static struct measured measure(struct load *load, const struct options *options)
{
    for (int number = 0; number < load->peer_count; number++)
        peer_begin(&load->peers[number]);
    load->last_reply = now_ns();
    bool going = keep_going(load, options->warm_up);
    traffic_reset(load->fast);
    if (load->beside)
        traffic_reset(load->beside);
    struct measured begin = {now_ns(), cpu_of(options->watched, options->watched_count), cpu_of_self()};
    if (going)
        keep_going(load, options->seconds);
    return (struct measured){now_ns() - begin.ns, cpu_of(options->watched, options->watched_count) - begin.server_cpu,
                             cpu_of_self() - begin.own_cpu};
}

static void print_string(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++)
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else
            putchar((unsigned char)*text < ' ' ? ' ' : *text);
    putchar('"');
}

static void print_traffic(const struct traffic *traffic, int connections, double seconds)
{
    const struct histogram *latency = &traffic->latency;
    printf("{\"connections\": %d, \"in_flight\": %" PRIu32 ", \"id\": %" PRIu32 ", \"messages\": %" PRIu64
           ", \"rate\": %.1f", connections, traffic->depth, traffic->id, latency->count,
           (double)latency->count / seconds);
    printf(", \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f}",
           (double)histogram_quantile(latency, 0.5) / 1e3, (double)histogram_quantile(latency, 0.9) / 1e3,
           (double)histogram_quantile(latency, 0.99) / 1e3, (double)histogram_quantile(latency, 0.999) / 1e3,
           (double)latency->largest / 1e3);
}

static void print_result(const struct load *load, const struct options *options, struct measured measured)
{
    double seconds = (double)measured.ns / (double)SECOND;
    printf("{\"seconds\": %.6f, \"body\": %" PRIu32 ", \"crc\": \"%s\", \"fast\": ", seconds, options->body_size,
           crc_name);
    print_traffic(load->fast, options->connections, seconds);
    printf(", \"beside\": ");
    if (load->beside)
        print_traffic(load->beside, options->beside, seconds);
    else
        printf("null");
    printf(", \"server_cpu_us\": %" PRIu64 ", \"load_cpu_us\": %" PRIu64 ", \"errors\": %" PRIu64
           ", \"first_error\": ", measured.server_cpu, measured.own_cpu, load->failures.count);
    print_string(load->failures.first);
    printf("}\n");
}

int main(int count, char **words)
{
    struct options options = parse_options(count, words);
    struct load load = {.spin_ns = options.spin_us * 1000};
    crc_prepare();
    open_all(&load, &options);
    struct measured measured = measure(&load, &options);
    finish(&load);
    print_result(&load, &options, measured);
    for (int number = 0; number < load.peer_count; number++)
        peer_close(&load.peers[number]);
    free(load.peers);
    traffic_free(load.fast);
    if (load.beside)
        traffic_free(load.beside);
    return load.failures.count > 0;
}
