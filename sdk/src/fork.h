/* The handlers of pthread_atfork. */
#ifndef WEIR_SDK_FORK_H
#define WEIR_SDK_FORK_H

void fork_prepare(void);
void fork_parent(void);
void fork_child(void);

#endif
