/** What a room says before anything is written in it. */

import type { ModelView } from "../../engine/messages.ts";

export interface Inviting {
  /** What happens then. */
  lead: string;
  /** In the empty field. */
  placeholder: string;
  /** What the field is called. */
  field: string;
  starters: string[];
}

export function inviting(model: ModelView | null): Inviting {
  if (model && model.labels.length > 0) return TELLING_APART;
  return model?.takesChats ? ANSWERING : GOING_ON;
}

const TELLING_APART: Inviting = {
  lead: "Write a text, and your phones say what it is.",
  placeholder: "Write a text…",
  field: "Your text",
  starters: ["What a lovely day!", "The train was late again.", "The parcel came on Monday."],
};

const ANSWERING: Inviting = {
  lead: "Ask something, and your phones answer.",
  placeholder: "Ask something…",
  field: "What do you want to ask?",
  starters: ["What can a fox eat?", "Write a rhyme about rain.", "Explain the moon to a child."],
};

const GOING_ON: Inviting = {
  lead: "Write the beginning, and your phones go on from there.",
  placeholder: "Write the beginning…",
  field: "How does it begin?",
  starters: ["Once upon a time", "One rainy morning, a small fox", "The old boat"],
};
