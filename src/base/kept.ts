/** What was made for a key before, or now; what failed is made again the next time. */
export function kept<K extends object | string, T>(
  known: {
    get(key: K): Promise<T> | undefined;
    set(key: K, made: Promise<T>): unknown;
    delete(key: K): unknown;
  },
  key: K,
  make: () => Promise<T>,
): Promise<T> {
  let made = known.get(key);
  if (!made) {
    made = make();
    known.set(key, made);
    made.catch(() => known.delete(key));
  }
  return made;
}
