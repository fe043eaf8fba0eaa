/** A value that can be watched; its `subscribe` is the contract that Svelte's `$store` syntax expects. */
export class Store<T> {
  #value: T;
  readonly #watchers = new Set<(value: T) => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    this.#value = value;
    for (const watcher of [...this.#watchers]) watcher(value);
  }

  /** Calls `watcher` at once and on every change, until the returned function is called. */
  subscribe(watcher: (value: T) => void): () => void {
    this.#watchers.add(watcher);
    watcher(this.#value);
    return () => this.#watchers.delete(watcher);
  }

  /** The first value that satisfies `test`, now or later. */
  when(test: (value: T) => boolean): Promise<T> {
    return new Promise((resolve) => {
      const watcher = (value: T): void => {
        if (!test(value)) return;
        this.#watchers.delete(watcher);
        resolve(value);
      };
      this.#watchers.add(watcher);
      watcher(this.#value);
    });
  }
}
