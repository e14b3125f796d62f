// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest compiles and runs: counts the primes below a million, and sums up
 * their squares in floating point.  Each page of the sieve is the guest's to fault in.
 */
#include <tcclib.h> /* what tcc brings of the C library */

#define LIMIT 1000000

static char composite[LIMIT];

int main(void)
{
	int number, multiple, primes = 0;
	double sum = 0;

	for (number = 2; number < LIMIT; number++) {
		if (composite[number])
			continue;
		primes++;
		sum += (double)number * number;
		for (multiple = 2 * number; multiple < LIMIT; multiple += number)
			composite[multiple] = 1;
	}
	printf("program: %d primes, %.0f\n", primes, sum);
	return 0;
}
