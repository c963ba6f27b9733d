/* The end of a program that cannot go on: one line on standard error, and exit code 2. */
#ifndef DIE_H
#define DIE_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noreturn, format(printf, 1, 2), unused)) static void die(const char *format, ...)
{
    va_list values;
    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    exit(2);
}

static inline void *must_have(void *memory)
{
    if (memory == NULL)
        die("out of memory");
    return memory;
}

#endif
