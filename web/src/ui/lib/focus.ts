/** Where the keyboard and a screen reader go on when what they were at is gone. */

import { tick } from "svelte";

/** For an element that takes the focus as it appears: whoever has opened a field or a question goes on there. */
export function focus(element: HTMLElement): void {
  element.focus();
}

/** Gives it to an element that is there once the page has been drawn anew. */
export async function focusNext(find: () => HTMLElement | undefined): Promise<void> {
  await tick();
  find()?.focus();
}
