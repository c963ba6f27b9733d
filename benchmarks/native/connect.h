/* Opening many connections. Every failure ends the program with a line that says what, where and why. */
#ifndef CONNECT_H
#define CONNECT_H

#include <netinet/in.h>

struct sockaddr_in parse_address(const char *address, const char *port);

/* Have so many descriptors more than the few that every program has. */
void need_descriptors(int connections);

/* A connected, non-blocking socket without Nagle's algorithm. Waits at most 10 seconds. */
int connect_to(const struct sockaddr_in *address, int number);

#endif
