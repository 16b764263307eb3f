const collator = new Intl.Collator('en', { numeric: true });

/** As file managers list names: 2.png before 10.png. */
export const byNaturalOrder = (a: string, b: string): number => collator.compare(a, b);
