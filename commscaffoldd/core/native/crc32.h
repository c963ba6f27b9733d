/* CRC-32 as zlib's crc32(): reflected, polynomial 0xEDB88320, initial and final inversion.
 *
 * Long bodies are folded with carry-less multiplication where the processor has it (Gopal et al., "Fast CRC
 * Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009); the rest, and all on other processors,
 * goes eight bytes at a time through tables ("slicing by eight", Kounavis and Berry, 2005).
 * crc32_prepare() must have run before; after it the tables are only read.
 */
#ifndef COMMSCAFFOLDD_CRC32_H
#define COMMSCAFFOLDD_CRC32_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static uint32_t crc32_table[8][256];

static void crc32_make_tables(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
        crc32_table[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++)
        for (int slice = 1; slice < 8; slice++)
            crc32_table[slice][byte] =
                crc32_table[slice - 1][byte] >> 8 ^ crc32_table[0][crc32_table[slice - 1][byte] & 0xFF];
}

/* `crc` is the inverted running value, here and below. */
static uint32_t crc32_by_tables(uint32_t crc, const uint8_t *data, size_t size) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; size >= 8; data += 8, size -= 8) {
        uint32_t low, high;
        memcpy(&low, data, 4);
        memcpy(&high, data + 4, 4);
        low ^= crc;
        crc = crc32_table[7][low & 0xFF] ^ crc32_table[6][low >> 8 & 0xFF] ^ crc32_table[5][low >> 16 & 0xFF] ^
              crc32_table[4][low >> 24] ^ crc32_table[3][high & 0xFF] ^ crc32_table[2][high >> 8 & 0xFF] ^
              crc32_table[1][high >> 16 & 0xFF] ^ crc32_table[0][high >> 24];
    }
#endif
    for (; size; data++, size--) crc = crc >> 8 ^ crc32_table[0][(crc ^ *data) & 0xFF];
    return crc;
}

#if defined(__x86_64__) && defined(__GNUC__)
#define COMMSCAFFOLDD_CRC32_FOLDS 1
#include <immintrin.h>

static int crc32_can_fold;

/* One step of folding: what `value` means so many bits further on, combined with what stands there. */
__attribute__((target("pclmul,sse4.1"))) static inline __m128i crc32_fold(__m128i value, __m128i keys, __m128i next) {
    __m128i low = _mm_clmulepi64_si128(value, keys, 0x00), high = _mm_clmulepi64_si128(value, keys, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* `size` is at least 64 and a multiple of 16. */
__attribute__((target("pclmul,sse4.1"))) static uint32_t crc32_by_folding(uint32_t crc, const uint8_t *data,
                                                                          size_t size) {
    /* x^n mod P, bit-reflected, for n = 544 and 480, 160 and 96, 64; then Barrett's P' and P. */
    const __m128i by_512 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
    const __m128i by_128 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    const __m128i by_64 = _mm_set_epi64x(0, 0x0163cd6124);
    const __m128i barrett = _mm_set_epi64x(0x01f7011641, 0x01db710641);
    const __m128i low_words = _mm_setr_epi32(~0, 0, ~0, 0);
    const __m128i *at = (const __m128i *)data;
    __m128i a = _mm_xor_si128(_mm_loadu_si128(at), _mm_cvtsi32_si128((int)crc));
    __m128i b = _mm_loadu_si128(at + 1), c = _mm_loadu_si128(at + 2), d = _mm_loadu_si128(at + 3);
    for (at += 4, size -= 64; size >= 64; at += 4, size -= 64) {
        a = crc32_fold(a, by_512, _mm_loadu_si128(at));
        b = crc32_fold(b, by_512, _mm_loadu_si128(at + 1));
        c = crc32_fold(c, by_512, _mm_loadu_si128(at + 2));
        d = crc32_fold(d, by_512, _mm_loadu_si128(at + 3));
    }
    a = crc32_fold(a, by_128, b);
    a = crc32_fold(a, by_128, c);
    a = crc32_fold(a, by_128, d);
    for (; size >= 16; at++, size -= 16) a = crc32_fold(a, by_128, _mm_loadu_si128(at));
    /* 128 bits to 64, to 32. */
    a = _mm_xor_si128(_mm_srli_si128(a, 8), _mm_clmulepi64_si128(a, by_128, 0x10));
    b = _mm_srli_si128(a, 4);
    a = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(a, low_words), by_64, 0x00), b);
    b = _mm_clmulepi64_si128(_mm_and_si128(a, low_words), barrett, 0x10);
    b = _mm_clmulepi64_si128(_mm_and_si128(b, low_words), barrett, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(a, b), 1);
}
#endif

static void crc32_prepare(void) {
    crc32_make_tables();
#ifdef COMMSCAFFOLDD_CRC32_FOLDS
    __builtin_cpu_init();
    crc32_can_fold = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
#endif
}

static uint32_t crc32_of(const uint8_t *data, size_t size) {
    uint32_t crc = ~0u;
#ifdef COMMSCAFFOLDD_CRC32_FOLDS
    if (size >= 64 && crc32_can_fold) {
        size_t folded = size & ~(size_t)15;
        crc = crc32_by_folding(crc, data, folded);
        data += folded;
        size -= folded;
    }
#endif
    return ~crc32_by_tables(crc, data, size);
}

#endif
