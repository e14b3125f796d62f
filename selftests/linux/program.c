// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest compiles and runs: counts the primes below a million, and sums up squares in floating
 * point.  Each page of the sieve is the guest's to fault in.
 */
int printf(const char *format, ...);
void *malloc(unsigned long size);
void *memset(void *at, int byte, unsigned long size);

#define LIMIT 1000000

int main(void)
{
	char *composite = malloc(LIMIT);
	int number, multiple, primes = 0;
	double sum = 0;

	if (!composite)
		return 1;
	memset(composite, 0, LIMIT);
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
