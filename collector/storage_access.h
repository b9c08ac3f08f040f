/* What an extension that stores data for others offers: a folder for each client. Its type names it in component_type.storage. */
#ifndef WEIR_COLLECTOR_STORAGE_ACCESS_H
#define WEIR_COLLECTOR_STORAGE_ACCESS_H

#include "collector/component.h"
#include "collector/storage/journal.h"

struct storage_place {
    struct buffer path; /* of the folder, which is there; the caller frees it */
    struct journal_settings journal;
};

struct storage_access {
    /* `client` names whoever stores: "exporter_otlp_2_traces". Makes the folder. */
    bool (*locate)(struct component *extension, const char *client, struct storage_place *place, struct error *err);
};

#endif
