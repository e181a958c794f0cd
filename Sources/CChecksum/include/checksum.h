#ifndef GATEHOUSE_CHECKSUM_H
#define GATEHOUSE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/// Continues a CRC-32C (Castagnoli, reflected, as in RFC 3720) over the bytes. Begin with 0.
uint32_t gatehouse_crc32c(uint32_t crc, const void *bytes, size_t count);

/// The CRC-32C of each of `blocks` consecutive blocks of `size` bytes, four at a time where the processor can.
void gatehouse_crc32c_blocks(const void *bytes, size_t size, size_t blocks, uint32_t *result);

/// Streams that are hashed side by side.
#define GATEHOUSE_MD5_LANES 8

/// Continues MD5 (RFC 1321) over so many blocks of 64 bytes in each lane, all lanes at once.
///
/// `states` holds the four words of each lane one after another; a lane may point at bytes that do not matter.
void gatehouse_md5_lanes(uint32_t states[GATEHOUSE_MD5_LANES][4], const uint8_t *const blocks[GATEHOUSE_MD5_LANES], size_t count);

/// The same for one stream, which is faster than one lane of eight.
void gatehouse_md5_single(uint32_t state[4], const uint8_t *blocks, size_t count);

#endif
