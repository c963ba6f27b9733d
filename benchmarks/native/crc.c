#include "crc.h"

#ifdef HAVE_ZLIB

#include <zlib.h>

const char *const crc_name = "zlib";

void crc_prepare(void)
{
}

uint32_t crc_of(const uint8_t *body, size_t length)
{
    return (uint32_t)crc32_z(0, body, length);
}

#else

#include <string.h>

enum { SLICES = 8, VALUES = 256 };
static const uint32_t POLYNOMIAL = 0xEDB88320; /* 0x04C11DB7, reflected */
static uint32_t table[SLICES][VALUES];

const char *const crc_name = "slicing by 8";

void crc_prepare(void)
{
    for (uint32_t value = 0; value < VALUES; value++) {
        uint32_t crc = value;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
        table[0][value] = crc;
    }
    for (int slice = 1; slice < SLICES; slice++)
        for (int value = 0; value < VALUES; value++)
            table[slice][value] = table[slice - 1][value] >> 8 ^ table[0][table[slice - 1][value] & 0xFF];
}

uint32_t crc_of(const uint8_t *body, size_t length)
{
    uint32_t crc = 0xFFFFFFFF;
    for (; length >= SLICES; body += SLICES, length -= SLICES) {
        uint32_t low, high;
        memcpy(&low, body, sizeof low);
        memcpy(&high, body + 4, sizeof high);
        low ^= crc;
        crc = table[7][low & 0xFF] ^ table[6][low >> 8 & 0xFF] ^ table[5][low >> 16 & 0xFF] ^ table[4][low >> 24]
            ^ table[3][high & 0xFF] ^ table[2][high >> 8 & 0xFF] ^ table[1][high >> 16 & 0xFF] ^ table[0][high >> 24];
    }
    for (; length > 0; body++, length--)
        crc = crc >> 8 ^ table[0][(crc ^ *body) & 0xFF];
    return ~crc;
}

#endif
