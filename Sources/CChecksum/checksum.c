#include "checksum.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

// Tables for processors without the instruction: eight bytes a step.
static uint32_t tables[8][256];

__attribute__((constructor)) static void make_tables(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? 0x82F63B78u : 0);
        tables[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++) {
        for (int step = 1; step < 8; step++) {
            uint32_t before = tables[step - 1][byte];
            tables[step][byte] = (before >> 8) ^ tables[0][before & 0xFF];
        }
    }
}

static uint32_t crc_by_tables(uint32_t crc, const uint8_t *at, size_t count) {
    while (count >= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        word ^= crc;
        crc = tables[7][word & 0xFF] ^ tables[6][(word >> 8) & 0xFF] ^ tables[5][(word >> 16) & 0xFF] ^
              tables[4][(word >> 24) & 0xFF] ^ tables[3][(word >> 32) & 0xFF] ^ tables[2][(word >> 40) & 0xFF] ^
              tables[1][(word >> 48) & 0xFF] ^ tables[0][word >> 56];
        at += 8;
        count -= 8;
    }
    while (count--) crc = (crc >> 8) ^ tables[0][(crc ^ *at++) & 0xFF];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_by_instruction(uint32_t start, const uint8_t *at, size_t count) {
    uint64_t crc = start;
    while (count >= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        crc = _mm_crc32_u64(crc, word);
        at += 8;
        count -= 8;
    }
    while (count--) crc = _mm_crc32_u8((uint32_t)crc, *at++);
    return (uint32_t)crc;
}

// The instruction takes three cycles and begins one every cycle: four independent blocks keep it busy.
__attribute__((target("sse4.2"))) static void four_blocks(const uint8_t *at, size_t size, uint32_t *result) {
    uint64_t first = 0xFFFFFFFFu, second = first, third = first, fourth = first;
    size_t place = 0;
    for (; place + 8 <= size; place += 8) {
        uint64_t words[4];
        memcpy(&words[0], at + place, 8);
        memcpy(&words[1], at + size + place, 8);
        memcpy(&words[2], at + 2 * size + place, 8);
        memcpy(&words[3], at + 3 * size + place, 8);
        first = _mm_crc32_u64(first, words[0]);
        second = _mm_crc32_u64(second, words[1]);
        third = _mm_crc32_u64(third, words[2]);
        fourth = _mm_crc32_u64(fourth, words[3]);
    }
    uint64_t states[4] = {first, second, third, fourth};
    for (int lane = 0; lane < 4; lane++) {
        uint32_t crc = crc_by_instruction((uint32_t)states[lane], at + (size_t)lane * size + place, size - place);
        result[lane] = ~crc;
    }
}

static int has_instruction(void) { return __builtin_cpu_supports("sse4.2"); }
#endif

uint32_t gatehouse_crc32c(uint32_t crc, const void *bytes, size_t count) {
#if defined(__x86_64__)
    if (has_instruction()) return ~crc_by_instruction(~crc, bytes, count);
#endif
    return ~crc_by_tables(~crc, bytes, count);
}

void gatehouse_crc32c_blocks(const void *bytes, size_t size, size_t blocks, uint32_t *result) {
    const uint8_t *at = bytes;
    size_t block = 0;
#if defined(__x86_64__)
    if (has_instruction()) {
        for (; block + 4 <= blocks; block += 4) four_blocks(at + block * size, size, result + block);
    }
#endif
    for (; block < blocks; block++) result[block] = gatehouse_crc32c(0, at + block * size, size);
}
