/** Watches what the page asks for: the bar shows that nothing goes elsewhere, and would show it if something did. */
export class Network {
  /** Addresses outside this app's own origin. */
  foreign = $state.raw<readonly string[]>([]);

  constructor() {
    const observer = new PerformanceObserver((list) => this.#take(list.getEntries()));
    observer.observe({ type: 'resource', buffered: true });
  }

  #take(entries: readonly PerformanceEntry[]): void {
    const found = entries
      .map(({ name }) => new URL(name, location.href))
      .filter(({ protocol, origin }) => /^https?:$|^wss?:$/.test(protocol) && origin !== location.origin)
      .map(({ href }) => href);
    if (found.length) this.foreign = [...this.foreign, ...found];
  }
}
