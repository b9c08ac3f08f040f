/* Building messages. Protobuf without compression is not copied; JSON of several pieces costs a copy of them first. */
#include "exporters/file/form.h"

#include <stdlib.h>

#include "collector/net/compress.h"
#include "collector/wire/json.h"

static struct slice flatten(struct file_message *message, const struct file_request *request)
{
    if (request->count == 1)
        return request->pieces[0];
    for (size_t i = 0; i < request->count; i++)
        buffer_append_slice(&message->flat, request->pieces[i]);
    return buffer_slice(&message->flat);
}

static void put_part(struct file_message *message, struct slice part)
{
    message->parts[message->part_count++] = part;
    message->size += part.size;
}

static void put_head(struct file_message *message, size_t size)
{
    for (size_t i = 0; i < sizeof(message->head); i++)
        message->head[i] = (uint8_t)(size >> (24 - 8 * i));
    put_part(message, slice_of(message->head, sizeof(message->head)));
}

static bool build_zstd(struct file_message *message, const struct slice *pieces, size_t count)
{
    if (!deflate_parts(CODING_ZSTD, 0, pieces, count, &message->compressed) || message->compressed.size > UINT32_MAX)
        return false;
    put_head(message, message->compressed.size);
    put_part(message, buffer_slice(&message->compressed));
    return true;
}

static bool build_proto(struct file_message *message, const struct file_request *request)
{
    size_t size = 0;

    for (size_t i = 0; i < request->count; i++)
        size += request->pieces[i].size;
    if (size > UINT32_MAX)
        return false;
    put_head(message, size);
    for (size_t i = 0; i < request->count; i++)
        put_part(message, request->pieces[i]);
    return true;
}

bool file_message_build(struct file_message *message, const struct file_request *request, const struct file_form *form)
{
    struct slice text;

    message->parts = calloc(request->count + 1, sizeof(*message->parts));
    if (message->parts == NULL)
        return false;
    if (form->proto)
        return form->zstd ? build_zstd(message, request->pieces, request->count) : build_proto(message, request);
    json_write_request(request->signal, flatten(message, request), &message->text);
    if (message->flat.failed)
        return false;
    if (!form->zstd)
        buffer_append_byte(&message->text, '\n');
    if (message->text.failed)
        return false;
    text = buffer_slice(&message->text);
    if (form->zstd)
        return build_zstd(message, &text, 1);
    put_part(message, text);
    return true;
}

void file_message_fini(struct file_message *message)
{
    free(message->parts);
    buffer_fini(&message->flat);
    buffer_fini(&message->text);
    buffer_fini(&message->compressed);
}
