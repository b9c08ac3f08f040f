/* The SDK's own metrics, when WEIR_SDK_METRICS=true: otel.sdk.* of OpenTelemetry's semantic conventions. */
#ifndef WEIR_SDK_SELF_H
#define WEIR_SDK_SELF_H

/* Registers them; once a process is enough. */
void self_register(void);

#endif
