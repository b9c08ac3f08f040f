/* CRC-32C (Castagnoli), as iSCSI, ext4 and Snappy's framing use it: polynomial 0x1EDC6F41, reflected. */
#ifndef WEIR_BASE_CRC32C_H
#define WEIR_BASE_CRC32C_H

#include "collector/base/slice.h"

/* Of the bytes behind those that gave `crc`; 0 to begin with. */
uint32_t crc32c(uint32_t crc, struct slice bytes);

#endif
