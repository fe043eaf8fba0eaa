/** What can be watched: the contract of Svelte's `$store` syntax. */
export interface Watched<T> {
  subscribe(watcher: (value: T) => void): () => void;
}

/**
 * A store as it is worth drawing: the first of its changes at once, those that follow at most every so many
 * milliseconds, and the last in any case. While phones answer, each token changes what is shown, and drawing takes the
 * processor and the graphics chip from the model.
 */
export function paced<T>(store: Watched<T>, everyMs: number): Watched<T> {
  return {
    subscribe(watcher) {
      let latest: T;
      let timer: ReturnType<typeof setTimeout> | undefined;
      let isStale = false;
      const rest = (): void => {
        timer = undefined;
        if (isStale) show();
      };
      const show = (): void => {
        isStale = false;
        timer = setTimeout(rest, everyMs);
        watcher(latest);
      };
      const unsubscribe = store.subscribe((value) => {
        latest = value;
        if (timer === undefined) show();
        else isStale = true;
      });
      return () => {
        clearTimeout(timer);
        unsubscribe();
      };
    },
  };
}
