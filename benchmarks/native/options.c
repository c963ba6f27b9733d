#include "options.h"

#include <getopt.h>
#include <inttypes.h>

#include "connect.h"
#include "die.h"

static const char USAGE[] =
    "usage: load [options] ADDRESS PORT\n"
    "Sends messages of the `standard` layout in a closed loop, checks each reply, prints a JSON object.\n"
    "  --connections N   connections (50)\n"
    "  --in-flight N     messages that each of them has under way (1)\n"
    "  --body N          bytes of a body (64)\n"
    "  --id N            message ID of a handler that echoes (1)\n"
    "  --beside N        further connections, one message in flight, counted for themselves (0)\n"
    "  --beside-id N     their message ID, of a handler that computes and then echoes (2)\n"
    "  --warm-up S       seconds before the measurement (0.5)\n"
    "  --seconds S       seconds of the measurement (2)\n"
    "  --spin US         microseconds without a reply before it sleeps (0): a server that has to wake its client\n"
    "                    pays for that, and a client on another machine would not have it pay\n"
    "  --watch PID       a process of the server, for the CPU time it takes; may be repeated\n"
    "Exit codes: 0 done, 1 some reply was wrong or never came, 2 wrong usage or no connection.\n";

static double number(const char *option, const char *text, double least, double most)
{
    char *end;
    double value = strtod(text, &end);
    if (*text == '\0' || *end != '\0' || !(value >= least && value <= most))
        die("--%s %s: a number from %g to %g is wanted", option, text, least, most);
    return value;
}

struct options parse_options(int count, char **words)
{
    struct options options = {.connections = 50, .id = 1, .beside_id = 2, .body_size = 64, .depth = 1,
                              .seconds = 2, .warm_up = 0.5};
    static const struct option known[] = {
        {"connections", required_argument, NULL, 'c'}, {"in-flight", required_argument, NULL, 'f'},
        {"body", required_argument, NULL, 's'},        {"id", required_argument, NULL, 'i'},
        {"beside", required_argument, NULL, 'b'},      {"beside-id", required_argument, NULL, 'j'},
        {"warm-up", required_argument, NULL, 'w'},     {"seconds", required_argument, NULL, 't'},
        {"spin", required_argument, NULL, 'u'},        {"watch", required_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},              {NULL, 0, NULL, 0},
    };
    int found, index = 0;
    while ((found = getopt_long(count, words, "", known, &index)) != -1) {
        const char *name = known[index].name;
        switch (found) {
        case 'c': options.connections = (int)number(name, optarg, 1, 100000); break;
        case 'f': options.depth = (uint32_t)number(name, optarg, 1, 10000); break;
        case 's': options.body_size = (uint32_t)number(name, optarg, 0, 16777216); break;
        case 'i': options.id = (uint32_t)number(name, optarg, 0, UINT32_MAX); break;
        case 'b': options.beside = (int)number(name, optarg, 0, 1000); break;
        case 'j': options.beside_id = (uint32_t)number(name, optarg, 0, UINT32_MAX); break;
        case 'w': options.warm_up = number(name, optarg, 0, 3600); break;
        case 'u': options.spin_us = (uint64_t)number(name, optarg, 0, 1000000); break;
        case 't': options.seconds = number(name, optarg, 0.01, 86400); break;
        case 'p':
            if (options.watched_count == MAX_WATCHED)
                die("--watch: at most %d processes", MAX_WATCHED);
            options.watched[options.watched_count++] = (pid_t)number(name, optarg, 1, 4194304);
            break;
        case 'h': fputs(USAGE, stdout); exit(0);
        default: fputs(USAGE, stderr); exit(2);
        }
    }
    if (optind != count - 2) {
        fputs(USAGE, stderr);
        exit(2);
    }
    options.address = parse_address(words[optind], words[optind + 1]);
    return options;
}
