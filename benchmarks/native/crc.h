/* CRC-32 as zlib has it: zlib's own where it is installed, else slicing by 8. */
#ifndef CRC_H
#define CRC_H

#include <stddef.h>
#include <stdint.h>

/* Which of the two this program has: "zlib" or "slicing by 8". */
extern const char *const crc_name;

/* To be called once, before crc_of. */
void crc_prepare(void);

uint32_t crc_of(const uint8_t *body, size_t length);

#endif
