/* A frame of the `standard` layout: u32 length of the body, u32 id, u32 sequence, u32 crc32 of the body; big-endian. */
#ifndef FRAME_H
#define FRAME_H

#include <stdint.h>
#include <string.h>

enum { HEADER_SIZE = 16, LENGTH_AT = 0, ID_AT = 4, SEQUENCE_AT = 8, CRC_AT = 12 };

static inline uint32_t get_u32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap32(value);
}

static inline void put_u32(uint8_t *at, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(at, &value, sizeof value);
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "written for little-endian machines"
#endif

static inline void put_header(uint8_t *at, uint32_t length, uint32_t id, uint32_t sequence, uint32_t crc)
{
    put_u32(at + LENGTH_AT, length);
    put_u32(at + ID_AT, id);
    put_u32(at + SEQUENCE_AT, sequence);
    put_u32(at + CRC_AT, crc);
}

#endif
