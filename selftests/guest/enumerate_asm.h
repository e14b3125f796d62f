/* SPDX-License-Identifier: GPL-2.0-only */
/* For the enumerator's C and assembly: offsets in struct enumerate_seen, and more. */
#ifndef SELFTESTS_GUEST_ENUMERATE_ASM_H
#define SELFTESTS_GUEST_ENUMERATE_ASM_H

#define SEEN_FAULT  0
#define SEEN_CODE   8
#define SEEN_CR2    16
#define SEEN_RIP    24
#define SEEN_VALUE  32
#define SEEN_VECTOR 40

#define LEAVE_VECTOR 0x80
#define OTHER_SIZE   32

#endif
