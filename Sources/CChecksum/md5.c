#include "checksum.h"

#include <string.h>

// MD5 waits for itself: each of its 64 steps needs the one before. Eight streams side by side fill what one leaves idle.

static const uint32_t sines[64] = {
    0xD76AA478u, 0xE8C7B756u, 0x242070DBu, 0xC1BDCEEEu, 0xF57C0FAFu, 0x4787C62Au,
    0xA8304613u, 0xFD469501u, 0x698098D8u, 0x8B44F7AFu, 0xFFFF5BB1u, 0x895CD7BEu,
    0x6B901122u, 0xFD987193u, 0xA679438Eu, 0x49B40821u, 0xF61E2562u, 0xC040B340u,
    0x265E5A51u, 0xE9B6C7AAu, 0xD62F105Du, 0x02441453u, 0xD8A1E681u, 0xE7D3FBC8u,
    0x21E1CDE6u, 0xC33707D6u, 0xF4D50D87u, 0x455A14EDu, 0xA9E3E905u, 0xFCEFA3F8u,
    0x676F02D9u, 0x8D2A4C8Au, 0xFFFA3942u, 0x8771F681u, 0x6D9D6122u, 0xFDE5380Cu,
    0xA4BEEA44u, 0x4BDECFA9u, 0xF6BB4B60u, 0xBEBFBC70u, 0x289B7EC6u, 0xEAA127FAu,
    0xD4EF3085u, 0x04881D05u, 0xD9D4D039u, 0xE6DB99E5u, 0x1FA27CF8u, 0xC4AC5665u,
    0xF4292244u, 0x432AFF97u, 0xAB9423A7u, 0xFC93A039u, 0x655B59C3u, 0x8F0CCC92u,
    0xFFEFF47Du, 0x85845DD1u, 0x6FA87E4Fu, 0xFE2CE6E0u, 0xA3014314u, 0x4E0811A1u,
    0xF7537E82u, 0xBD3AF235u, 0x2AD7D2BBu, 0xEB86D391u,
};

static const uint8_t turns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

typedef uint32_t lanes __attribute__((vector_size(4 * GATEHOUSE_MD5_LANES)));

// One block of whatever `word` is: a number, or eight of them.
#define MD5_BLOCK(word, a, b, c, d, message)                                                       \
    do {                                                                                           \
        word first = a, second = b, third = c, fourth = d;                                         \
        _Pragma("clang loop unroll(full)") for (int step = 0; step < 64; step++) {                 \
            word mix;                                                                              \
            int place;                                                                             \
            if (step < 16) {                                                                       \
                mix = fourth ^ (second & (third ^ fourth));                                        \
                place = step;                                                                      \
            } else if (step < 32) {                                                                \
                mix = third ^ (fourth & (second ^ third));                                         \
                place = (5 * step + 1) & 15;                                                       \
            } else if (step < 48) {                                                                \
                mix = second ^ third ^ fourth;                                                     \
                place = (3 * step + 5) & 15;                                                       \
            } else {                                                                               \
                mix = third ^ (second | ~fourth);                                                  \
                place = (7 * step) & 15;                                                           \
            }                                                                                      \
            word sum = first + mix + sines[step] + message[place];                                 \
            int turn = turns[step >> 4][step & 3];                                                 \
            first = fourth;                                                                        \
            fourth = third;                                                                        \
            third = second;                                                                        \
            second = second + ((sum << turn) | (sum >> (32 - turn)));                              \
        }                                                                                          \
        a += first;                                                                                \
        b += second;                                                                               \
        c += third;                                                                                \
        d += fourth;                                                                               \
    } while (0)

static inline __attribute__((always_inline)) void run_lanes(uint32_t states[GATEHOUSE_MD5_LANES][4],
                                                            const uint8_t *const blocks[GATEHOUSE_MD5_LANES], size_t count) {
    lanes a, b, c, d;
    for (int lane = 0; lane < GATEHOUSE_MD5_LANES; lane++) {
        a[lane] = states[lane][0];
        b[lane] = states[lane][1];
        c[lane] = states[lane][2];
        d[lane] = states[lane][3];
    }
    for (size_t block = 0; block < count; block++) {
        lanes message[16];
        for (int place = 0; place < 16; place++) {
            for (int lane = 0; lane < GATEHOUSE_MD5_LANES; lane++) {
                uint32_t word;
                memcpy(&word, blocks[lane] + 64 * block + 4 * (size_t)place, 4);
                message[place][lane] = word;
            }
        }
        MD5_BLOCK(lanes, a, b, c, d, message);
    }
    for (int lane = 0; lane < GATEHOUSE_MD5_LANES; lane++) {
        states[lane][0] = a[lane];
        states[lane][1] = b[lane];
        states[lane][2] = c[lane];
        states[lane][3] = d[lane];
    }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void run_lanes_avx2(uint32_t states[GATEHOUSE_MD5_LANES][4],
                                                           const uint8_t *const blocks[GATEHOUSE_MD5_LANES], size_t count) {
    run_lanes(states, blocks, count);
}
#endif

void gatehouse_md5_lanes(uint32_t states[GATEHOUSE_MD5_LANES][4], const uint8_t *const blocks[GATEHOUSE_MD5_LANES], size_t count) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return run_lanes_avx2(states, blocks, count);
#endif
    run_lanes(states, blocks, count);
}

void gatehouse_md5_single(uint32_t state[4], const uint8_t *blocks, size_t count) {
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    for (size_t block = 0; block < count; block++) {
        uint32_t message[16];
        memcpy(message, blocks + 64 * block, 64);
        MD5_BLOCK(uint32_t, a, b, c, d, message);
    }
    state[0] = a;
    state[1] = b;
    state[2] = c;
    state[3] = d;
}
