#ifndef GATEHOUSE_CHECKSUM_H
#define GATEHOUSE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/// Continues a CRC-32C (Castagnoli, reflected, as in RFC 3720) over the bytes. Begin with 0.
uint32_t gatehouse_crc32c(uint32_t crc, const void *bytes, size_t count);

/// The CRC-32C of each of `blocks` consecutive blocks of `size` bytes, four at a time where the processor can.
void gatehouse_crc32c_blocks(const void *bytes, size_t size, size_t blocks, uint32_t *result);

#endif
