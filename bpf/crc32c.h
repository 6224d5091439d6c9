/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SCTP's checksum (RFC 9260, appendix A) when a few bytes of a packet change.
 *
 * A CRC is linear: two messages of one length that differ in some bytes have CRCs that differ by what those
 * bytes alone would leave in the register, and every byte that follows multiplies that by x^8, modulo the
 * polynomial. So neither the rest of the packet is read nor the old checksum asked whether it was right: a
 * wrong one stays wrong, for the receiver to notice. x^8 to the power of any length is put together from its
 * powers of two, which are a table. Polynomials are written as the register has them, x^0 in the highest bit.
 */
#ifndef DIRECTRIX_CRC32C_H
#define DIRECTRIX_CRC32C_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#define CRC32C_POLYNOMIAL 0x82f63b78
#define CRC32C_ONE 0x80000000
#define CRC32C_POWERS 16

/* x^8, x^16, x^32, ... */
const __u32 crc32c_power[CRC32C_POWERS] = {
	0x00800000, 0x00008000, 0x82f63b78, 0x6ea2d55c, 0x18b8ea18, 0x510ac59a, 0xb82be955, 0xb8fdb1e7,
	0x88e56f72, 0x74c360a4, 0xe4172b16, 0x0d65762a, 0x35d73a62, 0x28461564, 0xbf455269, 0xe2ea32dc,
};

/* The product of two polynomials. Global: verified once. */
__noinline __u32 crc32c_multiply(__u32 a, __u32 b)
{
	__u32 product = 0;

	for (int i = 0; i < 32; i++) {
		product ^= b & -(a >> 31);
		a <<= 1;
		b = b >> 1 ^ (CRC32C_POLYNOMIAL & -(b & 1));
	}
	return product;
}

/* By what the CRC of a message changes in which two bytes change by `bytes`, `length` bytes before its end; under 2^16. */
static __always_inline __u32 crc32c_change(__u16 bytes, __u32 length)
{
	__u32 power = CRC32C_ONE;

	/* unrolled: Linux 6.1 takes no loop that goes on right behind a call */
#pragma clang loop unroll(full)
	for (int i = 0; i < CRC32C_POWERS; i++)
		if (length >> i & 1)
			power = crc32c_multiply(crc32c_power[i], power);
	return crc32c_multiply(power, bytes);
}

#endif
