/* gzip, where zlib was built in. */
#ifndef WEIR_SDK_PACK_H
#define WEIR_SDK_PACK_H

#include "collector/base/buffer.h"

/* Appends `bytes` as one gzip member; false without memory, or without zlib. */
bool pack_gzip(struct slice bytes, struct buffer *out);

#endif
