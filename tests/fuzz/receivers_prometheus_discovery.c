/* DNS answers, and lists of targets in YAML or JSON: the first byte chooses. */
#include "receivers/prometheus/discovery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = { "SRV", "A", "AAAA", "MX", "NS" };
    struct discovered found = { .targets = NULL };
    struct error err = { "" };

    if (size == 0)
        return 0;
    if (data[0] < 128) {
        struct dns_sd_settings settings = { .type = types[data[0] % 5], .port = 1 };
        discovery_read_dns(slice_of(data + 1, size - 1), "name", &settings, &found, &err);
    } else {
        struct group_list list = { slice_of(data + 1, size - 1), "file", SLICE("__meta_filepath"), SLICE("file") };
        discovery_read_groups(&list, &found, &err);
    }
    discovered_fini(&found);
    return 0;
}
